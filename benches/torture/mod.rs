//! The parts of the benchmark `torture`.

pub(crate) mod cargo;
pub(crate) mod gzip;
pub(crate) mod idle;
pub(crate) mod limits;
pub(crate) mod options;
pub(crate) mod outage;
pub(crate) mod overload;
pub(crate) mod recorder;
pub(crate) mod senders;
pub(crate) mod served;
pub(crate) mod speed;
pub(crate) mod table;
