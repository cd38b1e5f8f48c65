//! Network cards, and what is started by them.

use super::*;

#[test]
fn cards_are_tried_until_one_works() {
    let mut world = World::new(&[]);
    let card = world.tree.block(b"net0").unwrap();
    world.tree.open_card(card);
    assert_eq!(
        play(&mut world, "dhcp -t 5000\nifconf -c dhcp net7 net1 net0\ndhcp netX\ndhcp net7 || echo none"),
        Ok(())
    );
    assert_eq!(
        world.log,
        [
            "configure net0 - 5000",
            "configure net1 - 5000",
            "configure net1 dhcp 0",
            "configure net1 - 0",
            "none\n"
        ]
    );
}

#[test]
fn cards_are_opened_and_closed() {
    let mut world = World::new(&[]);
    let script = "ifopen net9 || ifopen net0 net9 || echo last counts\nifopen net9 net1 && echo ${netX/x}\niflinkwait && echo up\n\
                  iflinkwait net0 || echo down\nifclose netX\nifopen\nifclose\nset netX/x 1 || echo closed\ndhcp --configurator ipv6 net1";
    for card in ["net0", "net1"] {
        let block = world.tree.block(card.as_bytes()).unwrap();
        world.tree.publish(block, b"x", settings::Kind::String, Some(card.as_bytes()));
    }
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(world.log, ["last counts\n", "net1\n", "up\n", "down\n", "closed\n", "configure net1 ipv6 0"]);
    assert_eq!(world.tree.latest(), world.tree.find(b"net1"));
}

#[test]
fn the_card_opened_last_is_looked_for_when_its_turn_comes() {
    let mut world = World::new(&[]);
    for card in ["net0", "net1"] {
        world.tree.block(card.as_bytes()).unwrap();
    }
    let script = "ifopen net0 net1\nifclose netX netX || exit 1\nifopen netX || echo none\nifopen net1 netX && echo both";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(world.log, ["none\n", "both\n"]);
    assert_eq!(world.tree.latest(), world.tree.find(b"net1"));
    world.tree.close_card(world.tree.latest().unwrap());
    assert_eq!(world.tree.latest(), None);
}

#[test]
fn boot_servers_are_looked_for_by_a_card_that_is_there() {
    let mut world = World::new(&[]);
    assert_eq!(
        play(&mut world, "pxebs net9 1 || pxebs netX 1 || echo none\nifopen net1\npxebs netX 1"),
        Ok(())
    );
    assert_eq!(world.log, ["none\n", "pxebs netX 1"]);
    assert!(world.reports.iter().all(|error| error.is(&NO_CARD)) && world.reports.len() == 2);
}

#[test]
fn cards_that_are_there_are_shown() {
    let mut world = World::new(&[]);
    let script =
        "ifstat\nifstat net9 netX net1\nifstat net0 net9 || echo last counts\nifopen net1\nifstat netX";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(
        world.log,
        ["ifstat", "ifstat net9 netX net1", "ifstat net0 net9", "last counts\n", "ifstat netX"]
    );
    assert!(world.reports.iter().all(|error| error.is(&NO_CARD)) && world.reports.len() == 3);
}

#[test]
fn commands_name_cards_that_are_there() {
    let mut world = World::new(&[]);
    let mut known = |words: &[&str]| {
        let words: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let command = Command::named(b"ifstat").unwrap();
        crate::known_cards(&Invocation::new(command, &words).unwrap(), &mut world)
    };
    assert_eq!(known(&["ifstat"]), ["net0", "net1"]);
    assert_eq!(known(&["ifstat", "net1", "net9", "netX"]), ["net1"]);
    assert!(known(&["ifstat", "net9"]).is_empty());
}

#[test]
fn what_the_network_names_is_started() {
    let mut world = World::new(&[("named", "#!ipxe\necho here\nautoboot || exit 7")]);
    assert_eq!(play(&mut world, "autoboot net0 || echo no address\nautoboot net1 || echo ${errno}"), Ok(()));
    assert_eq!(
        world.log[..5],
        ["configure net0 - 0", "no address\n", "configure net1 - 0", "fetch named", "here\n"]
    );
    assert!(world.reports.iter().any(|error| error.is(&crate::errors::TOO_DEEP)));
    assert_eq!(world.log.last().unwrap(), "0x7\n");
}
