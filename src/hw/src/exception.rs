//! Exceptions of the processor: a dump of what is known, and the build that it belongs to.
//!
//! A panic in a release build is the instruction `ud2` and comes here too. `cargo xtask symbolize` turns the
//! addresses into lines of code.

use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use x86::bits64::task::TaskStateSegment;
use x86::dtables::DescriptorTablePointer;
use x86::segmentation::SegmentSelector;
use x86::{Ring, controlregs, dtables, task};

use crate::low::{self, Symbol};
use crate::{bios, log, power, serial, video};

const VECTORS: usize = 32;
const STACK: usize = 0x2000;

// One entry for each vector: those without an error code push a zero, so all frames look alike.
//
// On entry: the processor has switched to the exception stack and pushed SS, RSP, RFLAGS, CS, RIP and, for some
// vectors, an error code. On exit: none; the machine is restarted.
global_asm!(
    "
    .text
    .balign 16
exception_entries:
    .set vector, 0
    .rept 32
    .balign 16
    .if vector != 8 && vector != 10 && vector != 11 && vector != 12 && vector != 13 && vector != 14 && vector != 17 && vector != 21
    pushq   $0
    .endif
    pushq   $vector
    jmp     exception_common
    .set vector, vector + 1
    .endr
exception_common:
    pushq   %r15
    pushq   %r14
    pushq   %r13
    pushq   %r12
    pushq   %r11
    pushq   %r10
    pushq   %r9
    pushq   %r8
    pushq   %rbp
    pushq   %rdi
    pushq   %rsi
    pushq   %rdx
    pushq   %rcx
    pushq   %rbx
    pushq   %rax
    cld
    movq    %rsp, %rdi
    andq    $-16, %rsp
    call    {dump}
    ud2
    ",
    dump = sym dump,
    options(att_syntax),
);

unsafe extern "C" {
    static exception_entries: u8;
}

/// What the entries push, lowest first.
#[derive(Debug)]
#[repr(C)]
struct Frame {
    general: [u64; 15],
    vector: u64,
    error_code: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

/// Registers of the dump in the order of [`Frame::general`], three letters each.
const NAMES: &[u8; 45] = b"raxrbxrcxrdxrsirdirbp r8 r9r10r11r12r13r14r15";

/// A descriptor of two words, the lower one first.
type Descriptor = [u64; 2];

/// An interrupt gate: present, of ring 0, to `handler` on the first stack of the task (Intel SDM volume 3, section
/// 6.14.1).
fn gate(handler: u64) -> Descriptor {
    let attributes = 0x8e01_u64 << 32 | u64::from(low::SELECTOR_CODE64) << 16;
    [handler & 0xffff | attributes | (handler & 0xffff_0000) << 32, handler >> 32]
}

/// A task that is present, of ring 0 and not in use, with its state at `base` (section 7.2.3).
fn task_state(base: u64) -> Descriptor {
    let limit = size_of::<TaskStateSegment>() as u64 - 1;
    [limit | (base & 0xff_ffff) << 16 | 0x89 << 40 | (base & 0xff00_0000) << 32, base >> 32]
}

struct State {
    table: UnsafeCell<[Descriptor; VECTORS]>,
    task: UnsafeCell<TaskStateSegment>,
    stack: UnsafeCell<[u8; STACK]>,
    build_id: UnsafeCell<[u8; 8]>,
}

// SAFETY: there is one processor; `init` fills the state before exceptions can come.
unsafe impl Sync for State {}

static STATE: State = State {
    table: UnsafeCell::new([[0; 2]; VECTORS]),
    task: UnsafeCell::new(TaskStateSegment::new()),
    stack: UnsafeCell::new([0; STACK]),
    build_id: UnsafeCell::new([0; 8]),
};

/// Loads our table of exception handlers, which run on a stack of their own.
///
/// # Safety
/// As [`crate::init`]; the low block is ready.
pub(crate) unsafe fn init(build_id: [u8; 8]) {
    // SAFETY: nothing else runs, so the cells are ours, and so is the table with the task's descriptor; the descriptors
    // describe what is there for ever.
    unsafe {
        *STATE.build_id.get() = build_id;
        (*STATE.task.get()).set_ist(0, STATE.stack.get() as u64 + STACK as u64);
        for (vector, entry) in (*STATE.table.get()).iter_mut().enumerate() {
            *entry = gate((&raw const exception_entries) as u64 + 16 * vector as u64);
        }
        low::descriptor::<Descriptor>(low::SELECTOR_TASK)
            .write_unaligned(task_state(STATE.task.get() as u64));
        let table = DescriptorTablePointer::new_from_slice(&*STATE.table.get());
        dtables::lidt(&table);
        asm!("sidt [{}]", in(reg) Symbol::LongIdtr.address(), options(nostack, preserves_flags));
        task::load_tr(SegmentSelector::new(low::SELECTOR_TASK / 8, Ring::Ring0));
    }
}

extern "C" fn dump(frame: &Frame) -> ! {
    // SAFETY: written once, by `init`.
    let build_id = unsafe { *STATE.build_id.get() };
    // SAFETY: reading the register changes nothing.
    let cr2 = unsafe { controlregs::cr2() } as u64;
    let mut line = Line::new();
    video::set_text_mode();
    print(b"\r\n\r\nThe firmware met an error of its own and stops here. Please report these lines.\r\n");
    log::last(400, &mut print);
    print(b"\r\n");
    line.field(b"exception", frame.vector, 2)
        .field(b"code", frame.error_code, 4)
        .field(b"rip", frame.rip, 16);
    line.field(b"cr2", cr2, 16).end();
    line.field(b"build", u64::from_be_bytes(build_id), 16).field(b"flags", frame.rflags, 8).end();
    line.field(b"rsp", frame.rsp, 16).end();
    for (place, value) in frame.general.iter().enumerate() {
        line.field(NAMES.get(3 * place..3 * place + 3).unwrap_or_default(), *value, 16);
        if place % 3 == 2 {
            line.end();
        }
    }
    power::reboot_soon()
}

/// Prints where people may look.
pub(crate) fn print(text: &[u8]) {
    serial::write(text, true);
    bios::print(text);
}

/// One line of the dump, without the formatting machinery.
struct Line {
    bytes: [u8; 100],
    length: usize,
}

impl Line {
    fn new() -> Self {
        Self { bytes: [0; 100], length: 0 }
    }

    fn field(&mut self, name: &[u8], value: u64, digits: u32) -> &mut Self {
        self.push(name);
        self.push(b" ");
        for place in (0..digits).rev() {
            let digit = (value >> (4 * place) & 0xf) as u8;
            self.push(&[if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }]);
        }
        self.push(b"  ");
        self
    }

    fn push(&mut self, text: &[u8]) {
        for byte in text {
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = *byte;
                self.length += 1;
            }
        }
    }

    fn end(&mut self) {
        self.push(b"\r\n");
        print(self.bytes.get(..self.length).unwrap_or(&[]));
        self.length = 0;
    }
}
