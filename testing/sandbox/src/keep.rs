//! `--keep`: the stage stays open, for people to try things.

use std::time::Duration;

use crate::stage::SERIAL;
use crate::story::{End, Story};
use crate::timeline::plain;

/// How long licenses live from now on: long enough to type a command, short enough to watch.
const LIFE: Duration = Duration::from_secs(60);

/// Prints what can be tried, then tells what happens until somebody ends it.
pub(crate) fn keep(story: &mut Story) -> Result<(), End> {
    story.stage.hub.reconfigure(|options| options.lifetime = Some(LIFE));
    story.timeline.act("It goes on until Ctrl-C, with licenses of a minute. In another terminal:");
    plain(&commands(story));
    loop {
        match story.take_in() {
            Ok(()) => {}
            Err(End::Stopped(_)) => return Ok(()),
            Err(end) => return Err(end),
        }
    }
}

fn commands(story: &Story) -> String {
    let places = &story.stage.places;
    let (bin, license, config) = (places.bin.display(), places.license.display(), places.config.display());
    let (hub, pid, dir) = (story.stage.hub.origin(), story.stage.daemon.pid(), places.root.display());
    format!(
        r#"
  export PATH={bin}:$PATH
  netify-licensed status                     one screen; --json for programs
  netify-licensed renew                      now, due or not, and wait for the outcome
  netify-licensed verify                     the installed license, offline
  netify-licensed check -w 0.0002 --critical 0.0001
                                             monitoring plugin; the thresholds are days, so 17 s and 9 s
  netify-licensed duid --all                 where the device id comes from
  netify-licensed hub list                   the licenses of the API key
  kill -USR1 {pid}                           the same as renew; -HUP reads the configuration again

Make trouble:
  echo '{{}}' > {license}
  rm {license}
  curl {hub}/_emulator/faults -d '{{"count":3,"answer":{{"status":{{"code":503,"retry-after":5}}}}}}'
  curl {hub}/_emulator/faults -d '{{"endpoint":"view","answer":{{"license":"other-device"}}}}'
  curl -X DELETE {hub}/_emulator/faults
  curl -X DELETE {hub}/_emulator/licenses/{SERIAL}
  curl {hub}/_emulator/down -d '{{"seconds":20}}'
  echo hang:1,ok > {dir}/run/netifyd/behavior

Everything lies in {dir}; the configuration is {config}
"#
    )
}
