//! Where in an instruction of x86-64 code a byte is: which bytes are likely depends on it more than on anything else.
//!
//! This follows the opcode map of the Intel SDM, volume 2, appendix A, as far as compilers use it. A wrong guess makes
//! nothing but a few bytes of worse compression.

#![allow(
    clippy::indexing_slicing,
    reason = "the one index is masked, and those of constants are checked by the compiler"
)]
#![allow(clippy::cast_possible_truncation, reason = "a table is filled for all opcodes")]

use crate::model::MOST_CONTEXTS;

/// What the next byte of the code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    First,
    AfterPrefix,
    AfterEscape,
    ModRm,
    Sib,
    Displacement,
    Immediate,
    /// Not code.
    Data,
}

/// The instruction that is being read, as far as it was read. Between two instructions it is the one before.
pub(crate) struct Instruction {
    stage: Stage,
    /// Bytes to come of the displacement or immediate operand.
    left: u8,
    /// Bytes of the immediate operand.
    immediate: u8,
    /// The REX byte, and [`SHORT`] after an operand size prefix.
    prefixes: u16,
    /// The opcode, and [`ESCAPED`] after 0F.
    opcode: u16,
    mod_rm: u8,
    /// The opcodes before it, the last one in the lowest 9 bits.
    opcodes: u32,
    /// A digest of its bytes.
    digest: u32,
    /// The kinds and ModRM bytes of the two instructions before it, the last one first.
    previous: [u32; 2],
    /// The register that was probably written by the last instruction, or [`MEMORY`].
    written: u16,
    /// A number of the function, which counts those that make room in the stack.
    function: u32,
    /// How much room in the stack it made.
    frame: u32,
}

/// What is no register.
const MEMORY: u16 = 16;
const SHORT: u16 = 0x100;
const WIDE: u16 = 8;
const ESCAPED: u16 = 0x100;
/// Where a ModRM byte is above the kind of an instruction, which has 18 bits.
const MOD_RM: u32 = 20;

impl Instruction {
    /// The beginning of code.
    pub(crate) const CODE: Self = Self {
        stage: Stage::First,
        left: 0,
        immediate: 0,
        prefixes: 0,
        opcode: 0,
        mod_rm: 0,
        opcodes: 0,
        digest: 0,
        previous: [0; 2],
        written: 0,
        function: 0,
        frame: 0,
    };

    /// What stands for everything that is not code.
    pub(crate) const DATA: Self = Self { stage: Stage::Data, ..Self::CODE };

    /// Places in an instruction, for [`place`](Self::place).
    pub(crate) const PLACES: usize = 72;
    /// Parts of all instructions, for [`opcode_part`](Self::opcode_part).
    pub(crate) const OPCODE_PARTS: usize = 1 << 12;

    /// Which byte of the instruction is next.
    pub(crate) fn place(&self) -> u32 {
        u32::from(self.left) << 3 | self.stage as u32
    }

    /// Which part of an instruction is next, a number below 8.
    pub(crate) fn part(&self) -> usize {
        self.stage as usize
    }

    /// The same, and the opcode. Before there is one, that of the instruction before, and how far it is to the next target of
    /// a jump: none, some bytes, or more.
    pub(crate) fn opcode_part(&self, to_target: u32) -> usize {
        match self.stage {
            Stage::First | Stage::AfterPrefix | Stage::AfterEscape => {
                ((self.opcodes & 0x1ff) << 3 | to_target.div_ceil(6).min(2)) as usize
            }
            _ => usize::from(self.opcode) << 3 | self.stage as usize,
        }
    }

    /// Whether an operand of four bytes is next.
    pub(crate) fn is_before_long_operand(&self) -> bool {
        self.left == 4 && matches!(self.stage, Stage::Displacement | Stage::Immediate)
    }

    /// Bytes from the end of the operand that is next to the end of the instruction, if the operand counts from there.
    pub(crate) fn bytes_to_origin(&self) -> Option<u32> {
        match (self.stage, self.opcode) {
            (Stage::Displacement, _) if self.mod_rm & 0xc7 == 5 => Some(self.immediate.into()),
            (Stage::Immediate, 0xe8 | 0xe9 | 0x180..=0x18f) => Some(0),
            _ => None,
        }
    }

    /// What the next byte of the code probably depends on, as numbers. `last` is the bytes before it, the last one
    /// lowest. The first of the numbers is the one to give up if there is something better, and the last ones help least.
    /// Which ones help most at which place was found by trying. `to_target` is how many bytes it is to the next place that
    /// something before jumps to or calls, where instructions have been followed.
    pub(crate) fn contexts(&self, last: u32, to_target: Option<u32>) -> [u32; MOST_CONTEXTS] {
        let kind = self.kind();
        let [one, two] = self.previous;
        let pair = join(kind, one);
        let after = |bits: u32| join(self.digest, self.opcodes & (u32::MAX >> (32 - bits)));
        let before = self.opcodes & 0x3ffff;
        let triple = || join(self.digest, join(one, two));
        let two_bytes = last & 0xffff;
        let mut numbers = match self.stage {
            Stage::First => [after(9), 0, kind, triple(), pair, before, after(32)],
            Stage::AfterPrefix | Stage::AfterEscape => [0, after(9), kind, triple(), pair, before, after(27)],
            Stage::ModRm => {
                let written = join(self.digest, self.written.into());
                [0, join(self.digest, one >> MOD_RM), kind, last & 0xff, pair, join(kind, two), written]
            }
            Stage::Immediate => {
                [0, two_bytes, kind, last & 0xff, pair, after(27), join(self.digest, self.frame)]
            }
            _ => {
                let base = u32::from(self.mod_rm & 0xc7) << 8 | last & 0xff;
                let own = join(base, self.function);
                [0, 0, kind, base, pair, self.digest, own]
            }
        };
        match (to_target, self.stage) {
            (Some(to_target), Stage::First) => {
                numbers[1] = join(join(after(9), self.written.into()), to_target.min(8));
                numbers[5] = to_target;
            }
            (Some(_), Stage::ModRm) => numbers[1] = join(self.digest, self.function),
            _ => {}
        }
        numbers
    }

    /// Prefixes and opcode, as one number.
    fn kind(&self) -> u32 {
        u32::from(self.prefixes) << 9 | u32::from(self.opcode)
    }

    /// Goes on by one byte.
    #[inline(never)]
    pub(crate) fn advance(&mut self, byte: u8) {
        if self.stage == Stage::First {
            *self = Self {
                stage: Stage::First,
                left: 0,
                immediate: 0,
                prefixes: 0,
                opcode: 0,
                mod_rm: 0,
                ..*self
            };
        }
        self.digest = join(self.digest, byte.into());
        match self.stage {
            Stage::First | Stage::AfterPrefix => self.opcode(byte.into()),
            Stage::AfterEscape => self.opcode(ESCAPED | u16::from(byte)),
            Stage::ModRm => {
                self.mod_rm = byte;
                // TEST has an operand that its neighbours NOT, NEG, MUL and DIV have not.
                if matches!(self.opcode, 0xf6 | 0xf7) && byte & 0x30 == 0 {
                    self.immediate = if self.opcode == 0xf6 { 1 } else { self.operand() };
                }
                self.left = match (byte >> 6, byte & 7) {
                    (1, _) => 1,
                    (2, _) | (0, 5) => 4,
                    _ => 0,
                };
                if byte < 0xc0 && byte & 7 == 4 { self.stage = Stage::Sib } else { self.displacement() }
            }
            Stage::Sib => {
                if self.mod_rm < 0x40 && byte & 7 == 5 {
                    self.left = 4;
                }
                self.displacement();
            }
            Stage::Displacement => {
                self.left -= 1;
                if self.left == 0 {
                    self.immediate();
                }
            }
            Stage::Immediate => {
                self.left -= 1;
                if self.left == 0 {
                    self.stage = Stage::First;
                }
            }
            Stage::Data => {}
        }
        if self.stage == Stage::First {
            self.previous = [self.kind() | u32::from(self.mod_rm) << MOD_RM, self.previous[0]];
            self.opcodes = self.opcodes << 9 | u32::from(self.opcode);
            self.digest = 0;
        }
    }

    /// Follows what the instruction, which is whole and ends with the bytes `last`, does to registers and to the stack.
    #[inline(never)]
    pub(crate) fn follow(&mut self, last: u32) {
        let register = |number: u16, rex_bit: u16| number & 7 | (self.prefixes >> rex_bit & 1) << 3;
        let mod_rm = u16::from(self.mod_rm);
        self.written = match following(self.opcode) {
            TO_SECOND => register(mod_rm >> 3, 2),
            HAS_MOD_RM.. if mod_rm >= 0xc0 => register(mod_rm, 0),
            HAS_MOD_RM.. => MEMORY,
            // Of those with operands, a call is the one that names none here, and the number is right for its result.
            _ => register(self.opcode, 0),
        };
        // SUB RSP, of which ADD RSP has the same number.
        if mod_rm == 0xec && self.opcode & !2 == 0x81 {
            self.function = self.function.wrapping_add(1);
            self.frame = last;
        }
    }

    /// Whether the next byte begins an instruction.
    pub(crate) fn is_whole(&self) -> bool {
        self.stage == Stage::First
    }

    /// Where it goes to if it is a jump or call that ends at `position` with the bytes `last`, the last one lowest.
    pub(crate) fn target(&self, last: u32, position: u32) -> Option<u32> {
        match self.opcode {
            0x70..=0x7f | 0xeb => Some(position.wrapping_add_signed(i32::from(last as i8))),
            0xe8 | 0xe9 | 0x180..=0x18f => Some(last),
            _ => None,
        }
    }

    /// Goes on to what comes after this opcode, or prefix.
    fn opcode(&mut self, opcode: u16) {
        let following = following(opcode);
        let immediate = match following & !HAS_MOD_RM {
            _ if following == TO_SECOND => 0,
            PREFIX => {
                self.stage = Stage::AfterPrefix;
                self.prefixes |= match opcode {
                    0x40..=0x4f => opcode,
                    0x66 => SHORT,
                    _ => 0,
                };
                return;
            }
            ESCAPE => {
                self.stage = Stage::AfterEscape;
                return;
            }
            LONG if self.prefixes & WIDE != 0 => 8,
            WHOLE | LONG => self.operand(),
            bytes => bytes,
        };
        self.opcode = opcode;
        self.immediate = immediate;
        if following & HAS_MOD_RM != 0 { self.stage = Stage::ModRm } else { self.immediate() }
    }

    /// Bytes of a whole operand.
    fn operand(&self) -> u8 {
        if self.prefixes & SHORT != 0 { 2 } else { 4 }
    }

    /// Goes on to the displacement, or to what comes after it if there is none.
    fn displacement(&mut self) {
        if self.left == 0 { self.immediate() } else { self.stage = Stage::Displacement }
    }

    /// Goes on to the immediate operand, or to the next instruction if there is none.
    fn immediate(&mut self) {
        self.left = self.immediate;
        self.stage = if self.left == 0 { Stage::First } else { Stage::Immediate };
    }
}

/// What comes after opcodes, two in a byte, the second one in its upper half.
static FOLLOWING: [u8; 256] = {
    let mut table = [0; 256];
    let mut opcode = 0;
    while opcode < 2 * table.len() {
        table[opcode / 2] |= entry(opcode as u16) << (4 * (opcode % 2));
        opcode += 1;
    }
    table
};

/// An immediate operand of one byte, or two.
const BYTE: u8 = 1;
const WORD: u8 = 2;
/// One of four bytes, or two after an operand size prefix.
const WHOLE: u8 = 3;
/// The same, or eight bytes after REX.W.
const LONG: u8 = 4;
/// It is no opcode: there is another prefix, or an opcode.
const PREFIX: u8 = 5;
/// It is 0F.
const ESCAPE: u8 = 6;
/// In addition: there is a ModRM byte.
const HAS_MOD_RM: u8 = 8;
/// With that byte, what it names second is written to, not the first; there is no immediate operand.
const TO_SECOND: u8 = HAS_MOD_RM | WORD;

/// What comes after that opcode, by the table.
fn following(opcode: u16) -> u8 {
    FOLLOWING[usize::from(opcode >> 1 & 0xff)] >> (4 * (opcode & 1)) & 0xf
}

/// What comes after that opcode.
const fn entry(opcode: u16) -> u8 {
    match opcode {
        0x0f => ESCAPE,
        0x26 | 0x2e | 0x36 | 0x3e | 0x40..=0x4f | 0x64..=0x66 | 0xf0 | 0xf2 | 0xf3 => PREFIX,
        0x00..=0x3f if opcode & 6 == 2 => TO_SECOND,
        0x63 | 0x8a | 0x8b | 0x8d => TO_SECOND,
        0x00..=0x3f if opcode & 4 == 0 => HAS_MOD_RM,
        0x00..=0x3f if opcode & 7 == 4 => BYTE,
        0x00..=0x3f if opcode & 7 == 5 => WHOLE,
        0x84..=0x89 | 0x8c | 0x8e | 0x8f | 0xd0..=0xd3 | 0xd8..=0xdf | 0xf6 | 0xf7 | 0xfe | 0xff => {
            HAS_MOD_RM
        }
        0x6b | 0x80 | 0x83 | 0xc0 | 0xc1 | 0xc6 | 0x1a4 | 0x1ac | 0x1ba => HAS_MOD_RM | BYTE,
        0x69 | 0x81 | 0xc7 => HAS_MOD_RM | WHOLE,
        0x6a | 0x70..=0x7f | 0xa8 | 0xb0..=0xb7 | 0xcd | 0xe0..=0xe7 | 0xeb => BYTE,
        0xb8..=0xbf => LONG,
        0x68 | 0xa9 | 0xe8 | 0xe9 | 0x180..=0x18f => WHOLE,
        0xc2 => WORD,
        0x105 | 0x10b | 0x130..=0x137 | 0x1a2 | 0x1c8..=0x1cf => 0,
        0x140..=0x14f | 0x1af | 0x1b6 | 0x1b7 | 0x1be | 0x1bf => TO_SECOND,
        ESCAPED.. => HAS_MOD_RM,
        _ => 0,
    }
}

/// A number that depends on all bits of both.
fn join(one: u32, other: u32) -> u32 {
    one.wrapping_mul(0x9e37_79b1).wrapping_add(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Where the instructions in `code` end.
    fn ends(code: &[u8]) -> Vec<usize> {
        let mut instruction = Instruction::CODE;
        let mut ends = Vec::new();
        for (index, byte) in code.iter().enumerate() {
            instruction.advance(*byte);
            assert!(usize::try_from(instruction.place()).unwrap() < Instruction::PLACES);
            if instruction.stage == Stage::First {
                ends.push(index + 1);
            }
        }
        ends
    }

    #[test]
    fn registers_targets_and_the_stack_are_followed() {
        let followed = |code: &[u8]| {
            let mut instruction = Instruction::CODE;
            code.iter().for_each(|byte| instruction.advance(*byte));
            assert!(instruction.is_whole(), "{code:x?}");
            let last = code.iter().fold(0, |last, byte| last << 8 | u32::from(*byte));
            instruction.follow(last);
            (instruction.written, instruction.frame, instruction.function, instruction.target(last, 0x100))
        };
        assert_eq!(followed(&[0x48, 0x89, 0xe5]), (5, 0, 0, None)); // mov rbp, rsp
        assert_eq!(followed(&[0x4c, 0x8b, 0x40, 8]), (8, 0, 0, None)); // mov r8, [rax + 8]
        assert_eq!(followed(&[0x48, 0x89, 0x43, 8]), (MEMORY, 0, 0, None)); // mov [rbx + 8], rax
        assert_eq!(followed(&[0x41, 0x5f]), (15, 0, 0, None)); // pop r15
        assert_eq!(followed(&[0x0f, 0xb6, 0xc8]), (1, 0, 0, None)); // movzx ecx, al
        assert_eq!(followed(&[0x48, 0x83, 0xec, 0x28]), (4, 0x4883_ec28, 1, None)); // sub rsp, 28h
        assert_eq!(followed(&[0xe8, 0, 0, 0x12, 0x34]), (0, 0, 0, Some(0x1234))); // call, as operands::encode makes it
        assert_eq!(followed(&[0xeb, 0xf0]).3, Some(0xf0)); // jmp, short
        assert_eq!(followed(&[0x0f, 0x84, 0, 1, 2, 3]).3, Some(0x1_0203)); // je, near
    }

    #[test]
    fn instructions_are_told_apart() {
        for instruction in [
            &[0xc3][..],                              // ret
            &[0x0f, 0x0b],                            // ud2
            &[0x41, 0x57],                            // push r15
            &[0x48, 0x89, 0xe5],                      // mov rbp, rsp
            &[0x74, 0x12],                            // je
            &[0x0f, 0x84, 1, 2, 3, 4],                // je, near
            &[0xe8, 1, 2, 3, 4],                      // call
            &[0x48, 0x8b, 0x44, 0x24, 0x10],          // mov rax, [rsp + 16]
            &[0x48, 0x8d, 0xbc, 0x24, 0x10, 1, 0, 0], // lea rdi, [rsp + 272]
            &[0x48, 0x8b, 0x04, 0xc5, 1, 2, 3, 4],    // mov rax, [8 * rax + disp32]
            &[0x66, 0xc7, 0x45, 0xf8, 1, 2],          // mov word [rbp - 8], imm16
            &[0x48, 0xc7, 0xc7, 1, 2, 3, 4],          // mov rdi, imm32
            &[0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8],    // movabs rax, imm64
            &[0xf6, 0xc1, 1],                         // test cl, imm8
            &[0xf7, 0xc1, 1, 2, 3, 4],                // test ecx, imm32
            &[0x48, 0xf7, 0xf1],                      // div rcx
            &[0x0f, 0xb6, 0x05, 1, 2, 3, 4],          // movzx eax, byte [rip + disp32]
            &[0x0f, 0xba, 0xe0, 5],                   // bt eax, 5
            &[0xf3, 0x48, 0xa5],                      // rep movsq
            &[0x04, 1],                               // add al, imm8
            &[0x05, 1, 2, 3, 4],                      // add eax, imm32
        ] {
            assert_eq!(ends(instruction), [instruction.len()], "{instruction:x?}");
        }
    }
}
