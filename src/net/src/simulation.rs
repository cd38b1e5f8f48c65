//! Two stacks over a link that loses, repeats, delays and reorders frames, all from one seed.

mod batches;
mod echo;
mod hostile;
mod neighbours;
mod tcp;
mod udp;
mod wire;
