//! DHCP: packets of servers, the packets that the ROM kept, and a whole exchange.
#![no_main]

use base::{Duration, Instant, MacAddress};
use dhcp::{BootMenu, Client, Config, Discovery, Lease, Packet};
use libfuzzer_sys::fuzz_target;
use std::net::Ipv4Addr;

const MAC: MacAddress = MacAddress([0x52, 0x54, 0, 0x77, 0, 0x10]);

fuzz_target!(|data: &[u8]| {
    if let Some(packet) = Packet::parse(data) {
        let _ = (packet.file_name(), packet.server_name(), packet.is_pxe(), packet.priority());
        for code in 0..=255 {
            let _ = (packet.option(&[code]), packet.option(&[43, code]), packet.option(&[175, code]));
        }
        assert!(packet.options().count() <= data.len());
        let menu = BootMenu::of(&packet);
        assert!(menu.is_none_or(|menu| (1..=data.len()).contains(&menu.items.len())));
        discover(&packet, data);
        rename(&packet, data.len() % 300);
    }
    let _ = Lease::from_cached(data, Some(data), MAC);
    let _ = dhcp::lease::cached_boot_file(Some(data), None, MAC);
    let _ = (dhcp::lease::classless_routes(data), dhcp::lease::search_list(data));

    let mut config = Config::new(MAC, 1);
    config.adopt(data);
    let mut now = Instant::ZERO;
    let mut client = Client::new(config, now);
    let mut buffer = [0; 1500];
    for piece in fuzz::pieces(data) {
        while client.output(now, &mut buffer).is_some() {}
        let Some((kind, rest)) = piece.split_first() else { continue };
        // A server answers with our transaction id, whatever else it says.
        let mut answer = rest.to_vec();
        if let Some(xid) = answer.get_mut(4..8) {
            xid.copy_from_slice(&client.xid().to_be_bytes());
        }
        let port = if kind & 1 == 0 { 67 } else { 4011 };
        let server = Ipv4Addr::new(10, 0, 0, kind >> 5);
        client.input(now, (server, port), 68, &answer);
        now = now + Duration::from_millis(u64::from(*kind) * 20);
    }
    while client.output(now, &mut buffer).is_some() {}
    let _ = (client.state(), client.lease(), client.offers().len(), client.deadline());
});

/// Another file of so many letters is read again, and nothing else is lost.
fn rename(packet: &Packet, length: usize) {
    let (server, file) = (Ipv4Addr::new(10, 0, 0, 9), "x".repeat(length));
    let renamed = packet.renamed(server, file.as_bytes(), &[(209, b"ours".to_vec())]);
    // With what lay in other fields it may have become too long.
    let Some(renamed) = Packet::parse(&renamed) else { return };
    assert_eq!(
        (renamed.next_server(), renamed.file_name(), renamed.text(&[209])),
        (server, file, "ours".into())
    );
    assert_eq!((renamed.xid(), renamed.your_address()), (packet.xid(), packet.your_address()));
    for code in (1..=254).filter(|code| ![52, 66, 67, 209].contains(code)) {
        assert_eq!(renamed.option(&[code]), packet.option(&[code]));
    }
}

/// The search for a boot server, as `offer` says, with the same bytes as answers. It ends in bounded time.
fn discover(offer: &Packet, data: &[u8]) {
    let mut now = Instant::ZERO;
    let kind = data.first_chunk().map_or(1, |bytes| u16::from_be_bytes(*bytes));
    let mut search = Discovery::new(Config::new(MAC, 1), offer, Ipv4Addr::new(10, 0, 0, 9), kind, now);
    let mut buffer = [0; 1500];
    while let Some(deadline) = search.deadline() {
        now = now.max(deadline);
        while let Some(question) = search.output(now, &mut buffer) {
            // The question itself, sent back, has the right number.
            let mut answer = data.to_vec();
            if let Some(xid) = answer.get_mut(4..8) {
                xid.copy_from_slice(&buffer[4..8]);
            }
            search.input((question.destination, 4011), &answer);
        }
        assert!(now < Instant::ZERO + Duration::from_secs(60));
    }
    assert!(search.result().is_some());
}
