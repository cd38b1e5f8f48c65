//! The ways out that do not come back.

use base::boot_info::{BootInfo, ENTRY_STACK_MAGIC};
use base::{Duration, SegOff};

use crate::low::{self, Symbol};
use crate::realmode::{self, Registers};
use crate::{guest, interrupts};

/// Takes our hooks off, and gives base memory back to the BIOS: free base memory ends at `kib` again. It ends at the low
/// block where a hook of ours has to stay in that, and below all that was handed out where a handler may need it.
pub fn release_base_memory(kib: u16) {
    guest::unhook();
    let kept = if interrupts::is_hooked() {
        low::allocated()
    } else if is_hooked() {
        low::linear()
    } else {
        u32::MAX
    };
    low::set_base_memory_kib(u32::from(kib).min(kept / 1024) as u16);
}

/// Whether somebody has hooked over a handler of ours, which is called still.
fn is_hooked() -> bool {
    interrupts::is_hooked() || guest::is_hooked() || realmode::is_watching()
}

/// Whether the stack of the program that loaded us is still as the prefix left it, and nothing of ours is hooked any more.
pub fn can_return_to_caller(info: &BootInfo) -> bool {
    let mut magic = [0; 4];
    low::read(info.entry_stack.linear(), &mut magic);
    u32::from_le_bytes(magic) == ENTRY_STACK_MAGIC && !is_hooked()
}

/// Returns to the program that loaded us, with a status for it in AX. Nothing of ours must be hooked any more.
pub fn return_to_caller(stack: SegOff, status: u16) -> ! {
    let ebx = u32::from(stack.segment) << 16 | u32::from(stack.offset);
    let registers = Registers { ebx, ecx: status.into(), ..Registers::default() };
    // SAFETY: no Rust code runs again, so none can be let down.
    unsafe { never_back(Symbol::ReturnToCaller, registers) }
}

/// Lets the BIOS start its next boot device: INT 18h. A BIOS that has none, or has no INT 18h, may come back.
pub fn next_boot_device() {
    realmode::interrupt(0x18, &mut Registers::default());
}

/// Starts the boot sector of the first disk, as the BIOS does; comes back with the reason why it cannot.
pub fn first_disk() -> &'static str {
    const DISK: u8 = 0x13;
    const DRIVE: u32 = 0x80;
    const PLACE: u16 = 0x7c00;
    const SIGNATURE: u32 = PLACE as u32 + 510;
    const LIMIT: Duration = Duration::from_secs(15);
    // A disk that fails is reset and asked once more, and no other is: a reset may take long.
    for _ in 0..2 {
        // One sector from cylinder 0, head 0, sector 1 to 0000:7C00, which is never handed out.
        let mut read =
            Registers { eax: 0x0201, ebx: PLACE.into(), ecx: 1, edx: DRIVE, ..Registers::default() };
        let mut reset = Registers { edx: DRIVE, ..Registers::default() };
        if realmode::interrupt_within(DISK, &mut read, LIMIT).is_err() {
            return "it does not answer";
        }
        if !read.carry() {
            let mut signature = [0; 2];
            low::read(SIGNATURE, &mut signature);
            if signature != [0x55, 0xaa] {
                return "its first sector is no boot sector";
            }
            let entry = SegOff::new(0, PLACE);
            start(&Program { entry, segment: 0, stack: PLACE, edx: DRIVE, interrupts: true });
        }
        if realmode::interrupt_within(DISK, &mut reset, LIMIT).is_err() {
            return "it does not come back from its reset";
        }
    }
    "it cannot be read"
}

/// Where we left by: kept for the case that it leads back to us, as far as the BIOS lets the area for applications
/// (0040:00F0) be.
pub fn remember(ways: u8) {
    low::write_application_area([MEMORY[0], MEMORY[1], MEMORY[2], ways]);
}

/// What was last remembered; 0 for nothing.
pub fn remembered() -> u8 {
    match low::application_area() {
        [a, b, c, ways] if [a, b, c] == MEMORY => ways,
        _ => 0,
    }
}

const MEMORY: [u8; 3] = *b"iPX";

/// A real-mode program, and what it finds.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its first instruction.
    pub entry: SegOff,
    /// All segments but CS.
    pub segment: u16,
    /// SP.
    pub stack: u16,
    /// EDX; the other general registers are 0.
    pub edx: u32,
    /// Whether interrupts are open.
    pub interrupts: bool,
}

/// Starts a program in memory that is not ours any more.
pub fn start(program: &Program) -> ! {
    let ebx = u32::from(program.entry.segment) << 16 | u32::from(program.entry.offset);
    let registers = Registers {
        eax: program.edx,
        ebx,
        ecx: program.stack.into(),
        edx: program.segment.into(),
        esi: u32::from(program.interrupts) << 9,
        ..Registers::default()
    };
    // SAFETY: no Rust code runs again, so none can be let down.
    unsafe { never_back(Symbol::Start, registers) }
}

/// Starts a program in memory that is not ours any more in protected mode: flat 32-bit segments, no paging, interrupts
/// off. Its stack is the low block's.
pub fn start_protected(instruction: u32, eax: u32, ebx: u32, esi: u32) -> ! {
    let registers = Registers { ebx, ecx: eax, edx: instruction, esi, ..Registers::default() };
    // SAFETY: no Rust code runs again, so none can be let down.
    unsafe { never_back(Symbol::StartProtected, registers) }
}

/// # Safety
/// The routine does not return.
unsafe fn never_back(symbol: Symbol, mut registers: Registers) -> ! {
    loop {
        // SAFETY: by contract of this function.
        let _ = unsafe { realmode::low_call(symbol.offset(), &mut registers, None) };
    }
}
