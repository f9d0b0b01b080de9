/* The tasks of three operating systems, as far as a debugger sees them: SYSTEM is 1
   for FreeRTOS, 2 for Zephyr, 3 for ThreadX. */
typedef unsigned u32;

static inline __attribute__((always_inline)) u32 read_word(u32 n)
{
	return *(volatile u32 *)(0xa0000000 + n);
}

static inline __attribute__((always_inline)) u32 read_sensor(u32 n)
{
	return read_word(4 * n) & 0xfff;
}

void sensor_task(void)
{
	for (u32 n = 0;;)
		n = read_sensor(n);
}

/* The linker leaves this out when it collects what is not used. */
void not_used(void)
{
	for (u32 n = 0;;)
		n = read_sensor(n);
}

#if SYSTEM == 1
typedef struct {
	u32 value;
	struct item *next, *previous;
} item_t;
typedef struct tskTaskControlBlock {
	volatile u32 *pxTopOfStack;
	item_t xStateListItem, xEventListItem;
	u32 uxPriority, *pxStack;
	char pcTaskName[16];
	u32 ulNotifiedValue;
} tskTCB;
typedef tskTCB TCB_t;
static TCB_t sensor = { .uxPriority = 3, .pcTaskName = "sensor" };
TCB_t *volatile pxCurrentTCB = &sensor;
#elif SYSTEM == 2
struct k_thread {
	struct {
		u32 a[4];
	} base;
	struct {
		u32 v1, v2;
	} callee_saved;
	void *entry;
	char name[32];
};
struct _cpu {
	u32 nested;
	char *irq_stack;
	struct k_thread *current;
};
struct z_kernel {
	u32 ticks;
	union {
		struct {
			struct _cpu cpus[2];
		};
		u32 raw[1];
	};
};
struct k_thread sensor = { .entry = sensor_task, .name = "sensor" };
struct z_kernel _kernel = { .cpus = { { 0, 0, &sensor } } };
#else
typedef char CHAR;
typedef struct TX_THREAD_STRUCT {
	u32 tx_thread_id, tx_thread_run_count;
	void *tx_thread_stack_ptr;
	CHAR *tx_thread_name;
} TX_THREAD;
TX_THREAD sensor = { .tx_thread_id = 0x54485244, .tx_thread_name = "sensor" };
TX_THREAD *volatile _tx_thread_current_ptr = &sensor;
#endif
