//! What the processor says of itself.

use core::arch::x86_64::__cpuid;

/// Feature bits: ECX and EDX of CPUID leaf 1, or of leaf 80000001h; zeros where it does not have that leaf.
pub fn features(is_extended: bool) -> [u32; 2] {
    let base = if is_extended { 0x8000_0000 } else { 0 };
    if __cpuid(base).eax <= base {
        return [0; 2];
    }
    let answer = __cpuid(base + 1);
    [answer.ecx, answer.edx]
}

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
