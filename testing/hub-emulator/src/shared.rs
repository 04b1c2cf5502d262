//! What the listener's thread and the handle share.

use std::sync::Mutex;

use tokio::sync::mpsc::UnboundedSender;

use crate::hub::Hub;
use crate::log::RequestLog;
use crate::rule::FaultQueue;
use crate::server::Command;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hub: Mutex<Hub>,
    pub(crate) faults: Mutex<FaultQueue>,
    pub(crate) log: RequestLog,
    pub(crate) commands: UnboundedSender<Command>,
}
