/* Firmware that crashes in one of many ways, and dumps as CrashCatcher does.
   The test finds the line of a call or a fault by the name in "at NAME". */
typedef unsigned int u32;
#define REG(addr) (*(volatile u32 *)(addr))
#define KEEP __attribute__((noipa))

/* Which way is written here before it starts. */
__attribute__((section(".control"))) volatile u32 scenario;

/* A small stack, and below it a stretch of memory that is forbidden. */
#define GUARD 0x20000400
#define GUARD_END 0x20000800
#define SMALL_STACK 0x20000c00

extern u32 handler_stack[], task_stack[], main_stack[];
volatile u32 sink, zero;
volatile float number;

/* -- the dump -- */

u32 saved[8]; /* r4 to r11 */
static u32 dump[4096];

static u32 semihost(u32 operation, const void *arguments)
{
	register u32 r0 __asm__("r0") = operation;
	register const void *r1 __asm__("r1") = arguments;
	__asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
	return r0;
}

static u32 *region(u32 *at, u32 start, u32 end)
{
	*at++ = start;
	*at++ = end;
	for (; start < end; start += 4)
		*at++ = REG(start);
	return at;
}

__attribute__((used)) void write_dump(u32 *frame, u32 lr, u32 msp)
{
	static u32 none[8];
	u32 sp = (u32)frame, psp, ipsr, i, *at = dump;
	__asm__ volatile("mrs %0, psp" : "=r"(psp));
	__asm__ volatile("mrs %0, ipsr" : "=r"(ipsr));
	if (sp < GUARD_END)
		frame = none; /* the processor could not save it */
	sp += frame == none ? 32 : (lr & 0x10 ? 32 : 104) + (frame[7] & 0x200 ? 4 : 0);
	*at++ = 0x00034363;
	*at++ = 0;
	for (i = 0; i < 4; i++)
		*at++ = frame[i];
	for (i = 0; i < 8; i++)
		*at++ = saved[i];
	*at++ = frame[4];
	*at++ = sp;
	*at++ = frame[5];
	*at++ = frame[6];
	*at++ = frame[7];
	*at++ = msp;
	*at++ = psp;
	*at++ = ipsr;
	if (frame == none)
		at = region(at, GUARD_END, SMALL_STACK);
	else if (sp > (u32)task_stack)
		at = region(at, sp, (u32)main_stack);
	if (psp)
		at = region(at, sp > (u32)task_stack ? psp : sp, (u32)task_stack);
	at = region(at, 0xe000ed28, 0xe000ed3c);

	u32 open[3] = {(u32)"core.bin", 5, 8};
	u32 file = semihost(1, open);
	u32 write[3] = {file, (u32)dump, (u32)at - (u32)dump};
	semihost(5, write);
	semihost(2, &file);
	semihost(0x18, (void *)0x20026);
	for (;;)
		;
}

__attribute__((naked, used)) void fault(void)
{
	__asm__ volatile("tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n"
			 "mov r1, lr\n mrs r2, msp\n ldr r3, =saved\n stmia r3, {r4-r11}\n"
			 "ldr r3, =handler_stack\n mov sp, r3\n b write_dump\n");
}

/* -- what fails -- */

KEEP u32 read_bus(u32 addr) { return *(volatile u32 *)addr + 1; } /* at read_bus */
KEEP void write_null(u32 *p)
{
	p[3] = 5; /* at write_null */
}
KEEP u32 divide(u32 a, u32 b) { return a / b; } /* at divide */
KEEP u32 undefined(u32 a)
{
	__asm__ volatile("udf #1"); /* at undefined */
	return a;
}
KEEP u32 call(u32 (*f)(u32), u32 a)
{
	return f(a) + 1; /* at call */
}
KEEP void jump(void (*f)(void)) { f(); } /* at jump */

/* Overwrites what lies below the stack until a pointer is gone. */
u32 *cursor;
KEEP u32 recurse(u32 depth)
{
	volatile u32 local[4];
	local[0] = depth;
	if (depth == 0)
		return read_bus((u32)cursor) + local[0]; /* at recurse_end */
	return recurse(depth - 1) + local[0]; /* at recurse */
}
KEEP u32 endless(u32 depth)
{
	volatile u32 local[4];
	local[0] = depth;
	return endless(depth + 1) + local[0]; /* at endless */
}

KEEP void interrupt_work(u32 a)
{
	sink = read_bus(a); /* at interrupt_work */
}
void interrupt(void)
{
	interrupt_work(0xa0000000); /* at interrupt */
	sink++;
}
void second_interrupt(void)
{
	__asm__ volatile("str %0, [%1]\n dsb\n isb\n nop" ::"r"(1), "r"(0xe000e200) : "memory"); /* at second_interrupt */
	sink++;
}
KEEP u32 victim(u32 bit)
{
	__asm__ volatile("str %0, [%1]\n dsb\n isb\n nop" ::"r"(bit), "r"(0xe000e200) : "memory"); /* at victim */
	return sink;
}
KEEP float float_victim(float x)
{
	number = x * 2;
	sink = victim(1); /* at float_victim */
	return number + x;
}

/* -- the chain -- */

/* The sums differ, or the compiler would make one call of two. */
KEEP u32 middle(u32 n)
{
	switch (n) {
	case 1:
		return read_bus(0xa0000004) + 1; /* at middle1 */
	case 2:
		write_null((u32 *)zero); /* at middle2 */
		return sink;
	case 3:
		return divide(n, zero) + 3; /* at middle3 */
	case 4:
		return undefined(n) + 4; /* at middle4 */
	case 5:
		return call((u32(*)(u32))0xa0000001, n) + 5; /* at middle5 */
	case 6:
		return call((u32(*)(u32))(zero + 0x1000), n) + 6; /* at middle6 */
	case 7:
		jump((void (*)(void))0xa0000001); /* at middle7 */
		return sink;
	case 8:
	case 12:
		return victim(1) + 1; /* at middle8 */
	case 9:
		return victim(2) + 9; /* at middle9 */
	case 10:
		number = float_victim(number); /* at middle10 */
		return sink;
	case 11:
		return recurse(10) + 11; /* at middle11 */
	}
	return endless(0) + 1; /* at middle13 */
}

KEEP u32 outer(u32 n)
{
	u32 before = sink;
	return middle(n) + before; /* at outer */
}

/* Forbids 1 << bits bytes. */
static void forbid(u32 addr, u32 bits)
{
	REG(0xe000ed9c) = addr | 0x10;
	REG(0xe000eda0) = (bits - 1) << 1 | 1 | 1 << 28;
	REG(0xe000ed94) = 5;
	REG(0xe000ed24) |= 7 << 16; /* and the faults get their own handlers */
}

int main(void)
{
	if (scenario == 2) /* the first 256 bytes */
		forbid(0, 8);
	if (scenario == 13)
		forbid(GUARD, 10);
	REG(0xe000ed14) |= 1 << 4; /* trap on division by zero */
	REG(0xe000e400) = 0xc0a0;  /* priorities: 0 interrupts 1 */
	REG(0xe000e100) = 3;
	cursor = (u32 *)0xa0000008;
	sink = outer(scenario); /* at main */
	return 0;
}

/* Goes on as a task, with a stack of its own. */
__attribute__((naked, noinline)) void use_task_stack(void)
{
	__asm__ volatile("ldr r0, =task_stack\n msr psp, r0\n movs r0, #2\n msr control, r0\n isb\n bx lr\n");
}

KEEP void task(void)
{
	for (;;)
		main(); /* at task */
}

void reset(void)
{
#ifdef __ARM_FP
	REG(0xe000ed88) |= 0xf << 20;
	__asm__ volatile("dsb\n isb");
#endif
	if (scenario == 12) {
		use_task_stack();
		task(); /* at reset12 */
	}
	if (scenario == 13)
		__asm__ volatile("msr msp, %0" ::"r"(SMALL_STACK));
	for (;;)
		main(); /* at reset */
}

__attribute__((section(".vectors"), used)) const void *const vectors[18] = {
	main_stack, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault, interrupt, second_interrupt,
};
