//! The event pipeline, driven with signed events of invented servers; no database, no network.

#[cfg(test)]
mod forks;
#[cfg(test)]
mod gaps;
#[cfg(test)]
mod history;
#[cfg(test)]
mod house;
#[cfg(test)]
mod receiving;
#[cfg(test)]
mod redactions;
#[cfg(test)]
mod resolution;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod stored;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod versions;
#[cfg(test)]
mod world;
