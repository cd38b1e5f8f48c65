//! A filter that makes machine code compress better: operands that count from the end of their instruction become
//! absolute, and each operand of four bytes begins with its highest byte.
//!
//! All calls of one function, and all uses of one variable, then carry the same four bytes, and the first of them are
//! nearly always the same, so that the model knows much when it comes to those that say something. The mapping is one to
//! one, and instructions are told apart without looking at what is changed, so the decoder needs no marks.

use crate::x86::Instruction;

/// Changes the operands in `code`.
pub fn encode(code: &mut [u8]) {
    for_each_operand(code, |operand, origin| u32::from_le_bytes(operand).wrapping_add(origin).to_be_bytes());
}

/// Makes the operands in `code`, as [`encode`] left them, what they were.
pub fn decode(code: &mut [u8]) {
    for_each_operand(code, |operand, origin| u32::from_be_bytes(operand).wrapping_sub(origin).to_le_bytes());
}

/// Replaces each operand of four bytes by what `change` makes of it and of the position from which it counts.
fn for_each_operand(code: &mut [u8], change: impl Fn([u8; 4], u32) -> [u8; 4]) {
    let mut instruction = Instruction::CODE;
    let mut position = 0_u32;
    let mut rest = code;
    while let [byte, tail @ ..] = rest {
        instruction.advance(*byte);
        position = position.wrapping_add(1);
        rest = tail;
        if let (true, Some(operand)) = (instruction.is_before_long_operand(), rest.first_chunk_mut()) {
            let to_origin = instruction.bytes_to_origin();
            *operand = change(*operand, to_origin.map_or(0, |bytes| position.wrapping_add(4 + bytes)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn what_was_encoded_is_decoded_again() {
        let mut seed = 1_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_le_bytes()[3]
        };
        for length in 0..600 {
            // Many instructions with operands, some of them cut off.
            let data: Vec<u8> = (0..length)
                .map(|_| match next() % 8 {
                    0 => 0xe8,
                    1 => 0x0f,
                    2 => 0x84,
                    3 => 0xb8,
                    4 => 0x8d,
                    5 => 0x05,
                    _ => next(),
                })
                .collect();
            let mut changed = data.clone();
            encode(&mut changed);
            decode(&mut changed);
            assert_eq!(changed, data);
        }
    }

    #[test]
    fn what_names_one_place_looks_alike_with_the_highest_byte_first() {
        let mut code = [
            0xe8, 0x14, 0, 0, 0, // call 19h
            0x0f, 0x84, 0x0e, 0, 0, 0, // je 19h
            0xc7, 0x05, 4, 0, 0, 0, 1, 2, 3, 4, // mov dword [rip + 4], 04030201h: at 19h, too
            0xb8, 0x19, 0, 0, 0, // mov eax, 19h
        ];
        encode(&mut code);
        for operand in [1..5, 7..11, 13..17, 22..26] {
            assert_eq!(code[operand], [0, 0, 0, 0x19]);
        }
        assert_eq!(code[17..21], [4, 3, 2, 1]);
    }
}
