//! What the processor says of itself.

use core::arch::x86_64::__cpuid;

/// Its name (CPUID leaves 80000002h to 80000004h), padded with zeros; all zeros where it has none.
pub fn name() -> [u8; 48] {
    const HIGHEST: u32 = 0x8000_0000;
    let mut name = [0; 48];
    if __cpuid(HIGHEST).eax >= HIGHEST + 4 {
        for (place, leaf) in name.chunks_exact_mut(16).zip(HIGHEST + 2..) {
            let answer = __cpuid(leaf);
            let words = [answer.eax, answer.ebx, answer.ecx, answer.edx];
            for (bytes, word) in place.chunks_exact_mut(4).zip(words) {
                bytes.copy_from_slice(&word.to_le_bytes());
            }
        }
    }
    name
}
