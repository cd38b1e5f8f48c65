//! What the processor says of itself.

use alloc::vec::Vec;
use core::arch::x86_64::__cpuid_count;

/// What CPUID leaves in EAX, EBX, ECX and EDX.
pub fn registers(leaf: u32, subleaf: u32) -> [u32; 4] {
    let answer = __cpuid_count(leaf, subleaf);
    [answer.eax, answer.ebx, answer.ecx, answer.edx]
}

/// Feature bits: ECX and EDX of CPUID leaf 1, or of leaf 80000001h; zeros where it does not have that leaf.
pub fn features(is_extended: bool) -> [u32; 2] {
    let base = if is_extended { 0x8000_0000 } else { 0 };
    let [highest, ..] = registers(base, 0);
    if highest <= base {
        return [0; 2];
    }
    let [_, _, ecx, edx] = registers(base + 1, 0);
    [ecx, edx]
}

/// Its name (CPUID leaves 80000002h to 80000004h), padded with zeros; empty where it has none.
pub fn name() -> Vec<u8> {
    const HIGHEST: u32 = 0x8000_0000;
    let mut name = Vec::new();
    let [highest, ..] = registers(HIGHEST, 0);
    for leaf in HIGHEST + 2..=HIGHEST + 4 {
        if leaf <= highest {
            append(&mut name, &registers(leaf, 0));
        }
    }
    name
}

/// Its maker (CPUID leaf 0).
pub fn vendor() -> Vec<u8> {
    let mut vendor = Vec::new();
    let [_, b, c, d] = registers(0, 0);
    append(&mut vendor, &[b, d, c]);
    vendor
}

fn append(text: &mut Vec<u8>, words: &[u32]) {
    for word in words {
        text.extend_from_slice(&word.to_le_bytes());
    }
}
