//! Whole scripts in a small world.

mod anything;
mod dialogs;
mod images;
mod language;
mod network;
mod options;
mod values;
mod world;

use crate::errors::{
    CANCELLED, NO_CARD, NO_LABEL, NOT_EXECUTABLE, NOT_IN_SCRIPT, TOO_LONG, UNKNOWN_COMMAND, UNKNOWN_OPTION,
};
use crate::{COMMANDS, Command, Failure, Invocation, Start, Takes, run, set_working_uri, working_uri};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use world::{BROKEN, MISSING, World};

fn play(world: &mut World, script: &str) -> Result<(), Failure> {
    let id = world.add("start", format!("#!ipxe\n{script}").into_bytes());
    world.images.image_mut(id).unwrap().autofree = true;
    run(world, Start::Image(id))
}

/// What a script echoes and how it ends.
fn echoes(script: &str) -> (String, Result<(), Failure>) {
    let mut world = World::new(&[]);
    let status = play(&mut world, script);
    (world.log.concat(), status)
}
