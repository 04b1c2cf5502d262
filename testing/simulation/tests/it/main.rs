//! The simulation as a whole.

mod devices;
mod fleet;
mod planted_bugs;
