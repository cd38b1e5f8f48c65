//! A filter that makes machine code compress better: the targets of CALL, JMP and near Jcc become absolute.
//!
//! All branches to one place then carry the same four bytes. The mapping is one to one on 32-bit operands, so the
//! decoder needs no marks: a target inside the data, counted from its start, changes place with the values that
//! no call of this data can have. (The idea is that of the E8 translation of the LZX format, [MS-PATCH] 2.4.)

/// Makes the targets in `data` absolute.
pub fn encode(data: &mut [u8]) {
    for_each_operand(data, |operand, position, length| {
        if operand >= -position && operand < length - position {
            operand + position
        } else if operand >= length - position && operand < length {
            operand - length
        } else {
            operand
        }
    });
}

/// Makes the targets in `data`, as [`encode`] left them, relative again.
pub fn decode(data: &mut [u8]) {
    for_each_operand(data, |operand, position, length| {
        if operand >= 0 && operand < length {
            operand - position
        } else if operand < 0 && operand >= -position {
            operand + length
        } else {
            operand
        }
    });
}

/// Replaces each operand by what `change` makes of it, the position after it, and the length of the data.
fn for_each_operand(data: &mut [u8], change: impl Fn(i64, i64, i64) -> i64) {
    let Ok(length) = i32::try_from(data.len()) else { return };
    let mut position = 0_i32;
    let mut previous = 0;
    let mut rest = data;
    while let [opcode, tail @ ..] = rest {
        position += 1;
        rest = tail;
        let is_branch = *opcode & 0xfe == 0xe8 || (previous == 0x0f && *opcode & 0xf0 == 0x80);
        previous = *opcode;
        if !is_branch {
            continue;
        }
        let Some((operand, tail)) = rest.split_first_chunk_mut::<4>() else { return };
        position += 4;
        let value = change(i32::from_le_bytes(*operand).into(), position.into(), length.into());
        let [a, b, c, d, ..] = value.to_le_bytes();
        *operand = [a, b, c, d];
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn what_was_encoded_is_decoded_again() {
        // Enough opcodes and small operands to meet every branch of the mapping.
        let mut seed = 1_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_le_bytes()[3]
        };
        for length in 0..600 {
            let data: Vec<u8> = (0..length)
                .map(|_| match next() % 8 {
                    0 => 0xe8,
                    1 => 0x0f,
                    2 => 0x84,
                    3 | 4 => 0,
                    5 => 0xff,
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
    fn two_calls_of_one_function_look_alike() {
        let mut data =
            [0xe8, 20, 0, 0, 0, 0x90, 0xe8, 14, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        encode(&mut data);
        assert_eq!(data[1..5], data[7..11]);
    }
}
