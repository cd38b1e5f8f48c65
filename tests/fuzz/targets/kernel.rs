//! Kernels and other programs: any file, planned into a small machine's memory; nothing may be written where there is no memory.
#![no_main]

use base::PhysRange;
use base::boot_info::E820Entry;
use image::{Initrd, Kernel, Memory, Surroundings};
use libfuzzer_sys::fuzz_target;

/// Memory of which only the file can be read and nothing is kept.
struct Machine<'a> {
    file: &'a [u8],
    place: u64,
}

impl Memory for Machine<'_> {
    fn read(&self, from: u64, to: &mut [u8]) {
        for (index, byte) in to.iter_mut().enumerate() {
            let at = (from + index as u64).checked_sub(self.place).and_then(|at| usize::try_from(at).ok());
            *byte = at.and_then(|at| self.file.get(at)).copied().unwrap_or_default();
        }
    }

    fn write(&mut self, to: u64, from: &[u8]) {
        inside(PhysRange::with_length(to, from.len() as u64));
    }

    fn copy(&mut self, from: u64, to: u64, length: u64) {
        inside(PhysRange::with_length(from, length));
        inside(PhysRange::with_length(to, length));
    }

    fn zero(&mut self, range: PhysRange) {
        inside(range);
    }
}

const BASE: PhysRange = PhysRange::new(0x1_0000, 0x9_f000);
const HIGH: PhysRange = PhysRange::new(0x10_0000, 0x1000_0000);
const FAR: PhysRange = PhysRange::new(1 << 32, 0x1_4000_0000);

fn inside(range: PhysRange) {
    assert!([BASE, HIGH, FAR].iter().any(|memory| memory.contains(range)), "{range:?} is no memory");
}

fuzz_target!(|data: &[u8]| {
    let _ = image::recognise(data);
    let _ = image::handed_over(data);
    let text = &data[..data.len().min(200)];
    let _ = image::command_line::memory_limit(text);
    let _ = image::command_line::video_mode(text);
    let _ = image::cpio::headers(text, 1000);
    let place = 0x800_0000;
    let machine = Machine { file: data, place };
    fuzz_boot(machine, text);
});

fn fuzz_boot(mut machine: Machine<'_>, text: &[u8]) {
    let place = machine.place;
    // The file may say that it is much longer than what is here.
    let length = (machine.file.len() as u64) << (machine.file.first().copied().unwrap_or_default() & 7);
    let image = PhysRange::with_length(place, length);
    // The next byte says how much longer than what is here the initrd is, too.
    let scale = machine.file.get(1).copied().unwrap_or_default() & 15;
    let initrd =
        Initrd { uri: "", image: PhysRange::with_length(FAR.start(), 0x12345 << scale), command_line: text };
    let map = fuzz::memory_map(&[BASE, HIGH, FAR], &[image, initrd.image]);
    let kernel = Kernel { name: "vmlinuz", uri: "", image, command_line: text };
    let e820 = [E820Entry { start: 0, length: 0x9_f000, kind: 1, attributes: 1 }];
    let surroundings =
        Surroundings { loader: "fuzz", e820: &e820, base_memory_kib: 636, acpi: Some((0xf_0000, text)) };
    let linux = image::plan_linux(&kernel, &[initrd], &surroundings, &map, &machine);
    let executable = image::plan_executable(&kernel, &[initrd], &surroundings, &map, &machine);
    if let Ok(plan) = &linux {
        inside(plan.program);
    }
    // The segments of an executable may have what is no memory between them.
    for plan in [linux, executable].into_iter().flatten() {
        image::execute(&plan, &mut machine);
    }
}
