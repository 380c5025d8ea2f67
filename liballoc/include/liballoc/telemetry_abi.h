/* telemetry_abi.h - the layout of a liballoc telemetry segment, version 1.
 *
 * The one file that the library (which writes a segment) and the agent (which reads it) share. C and C++.
 * Must never contain code, a pointer, a size_t, an enum-typed field, a bit-field or a bool: every field has an
 * explicit width and a fixed offset. docs/segment.md describes each field, who writes it and how a torn read is seen.
 *
 * Rules of the format
 * - Byte order and alignment are the machine's own; `magic` read in the wrong order is not the magic.
 * - Every section is found through the directory. Its stride is the writer's: a reader uses min(stride, sizeof) bytes of
 *   a record and ignores the rest, so a newer minor version may append fields. Unknown section kinds are skipped.
 * - A section kind may have several directory entries (extents). Records are numbered through them in directory order.
 * - Zero means absent or unknown in every field.
 * - Words that change while a reader looks are 8 bytes wide, naturally aligned, and written with one store, unless the
 *   record says that a sequence word guards it: then an odd sequence means "being written".
 */
#ifndef LIBALLOC_TELEMETRY_ABI_H_
#define LIBALLOC_TELEMETRY_ABI_H_

#include <stddef.h>
#include <stdint.h>

#define LIBALLOC_ABI_MAGIC UINT64_C(0x3147455343434c41) /* "ALCCSEG1" in little-endian memory order */
#define LIBALLOC_ABI_MAJOR 1
#define LIBALLOC_ABI_MINOR 3 /* 1: peak section, next_trigger and peak_* of memstats; 2: labels and label sets, label_set of buckets; 3: ring_round */

#define LIBALLOC_ABI_FILE_PREFIX "liballoc."    /* full name: liballoc.<pid>.<start time in clock ticks since boot> */
#define LIBALLOC_ABI_CAPACITY_BYTES UINT64_C(268435456) /* logical size of the sparse file, and the cap on growth */
#define LIBALLOC_ABI_DIRECTORY_CAPACITY 120

/* 67 size classes: 1..66 are small, class 0 is "large" (its own span). A "cache class" is class + 67 * noscan. */
#define LIBALLOC_ABI_SIZE_CLASSES 67
#define LIBALLOC_ABI_CACHE_CLASSES 134

#define LIBALLOC_ABI_LABEL_KEY_BYTES 48    /* with the NUL */
#define LIBALLOC_ABI_LABEL_VALUE_BYTES 192 /* with the NUL */
#define LIBALLOC_ABI_LABELS_PER_SET 12

/* ---- header ------------------------------------------------------------------------------------------------------ */

struct liballoc_abi_header {
  uint64_t magic;              /*   0 stored last with release order: the segment is complete from then on */
  uint16_t major;              /*   8 another major is refused */
  uint16_t minor;              /*  10 a newer minor is read */
  uint32_t header_bytes;       /*  12 sizeof(struct liballoc_abi_header) of the writer */
  uint64_t capacity_bytes;     /*  16 logical size of the file */
  uint64_t valid_bytes;        /*  24 everything below is backed and described; only grows */
  uint32_t directory_offset;   /*  32 */
  uint32_t directory_stride;   /*  36 */
  uint64_t directory_count;    /*  40 entries in use; only grows; release-stored after the entry is complete */
  uint32_t pid;                /*  48 in the process's own PID namespace */
  uint32_t uid;                /*  52 real user id at creation */
  uint64_t start_ticks;        /*  56 process start, clock ticks since boot: field 22 of /proc/PID/stat */
  uint64_t created_realtime_ns;  /* 64 CLOCK_REALTIME at creation */
  uint64_t created_monotonic_ns; /* 72 CLOCK_MONOTONIC at the same moment: converts every *_ns below to wall time */
  uint64_t start_realtime_ns;  /*  80 wall time of process start */
  uint32_t page_bytes;         /*  88 heap page, 8192 */
  uint32_t pid_namespace;      /*  92 inode number of /proc/self/ns/pid */
  uint64_t arena_bytes;        /*  96 67108864 */
  uint64_t exit_state;         /* 104 enum liballoc_abi_exit; the lock on the file says whether the process lives */
  uint64_t exit_monotonic_ns;  /* 112 when exit_state was set */
  uint64_t forked_from;        /* 120 pid of the parent when this segment was made by the child of a fork */
  uint64_t growth_failures;    /* 128 times the segment could not grow */
  uint64_t reserved[15];       /* 136 */
};

enum liballoc_abi_exit {
  LIBALLOC_EXIT_NONE = 0,  /* running, or ended without saying so: killed */
  LIBALLOC_EXIT_CLEAN = 1, /* exit handlers or _exit ran */
  LIBALLOC_EXIT_FAULT = 2  /* liballoc itself aborted the process; see the fault section */
};

struct liballoc_abi_section { /* a directory entry: one extent of one section */
  uint32_t kind;     /*  0 enum liballoc_abi_kind */
  uint32_t extent;   /*  4 0, 1, 2 ... within the kind */
  uint64_t offset;   /*  8 from the start of the file; multiple of 64 */
  uint32_t stride;   /* 16 bytes per record */
  uint32_t capacity; /* 20 records in this extent */
  uint64_t count;    /* 24 records ever used in this extent (high-water mark); for the ring: records ever written */
  uint64_t dropped;  /* 32 extent 0 only: records that did not fit anywhere */
  uint64_t ring_round; /* 40 ring only: where its current round began << 16 | records of a round; 0: event 0, capacity */
  uint64_t reserved[2]; /* 48 */
};

enum liballoc_abi_kind {
  LIBALLOC_SECTION_NONE = 0,
  LIBALLOC_SECTION_IDENTITY = 1,
  LIBALLOC_SECTION_MEMSTATS = 2,
  LIBALLOC_SECTION_THREADS = 3,
  LIBALLOC_SECTION_SPANS = 4,
  LIBALLOC_SECTION_STACKS = 5,
  LIBALLOC_SECTION_FRAMES = 6,
  LIBALLOC_SECTION_BUCKETS = 7,
  LIBALLOC_SECTION_SAMPLES = 8,
  LIBALLOC_SECTION_MODULES = 9,
  LIBALLOC_SECTION_RING = 10,
  LIBALLOC_SECTION_FAULTS = 11,
  LIBALLOC_SECTION_SIZE_CLASSES = 12,
  LIBALLOC_SECTION_PEAK = 13,
  LIBALLOC_SECTION_LABELS = 14,
  LIBALLOC_SECTION_LABEL_SETS = 15
};

/* ---- identity: one record, written once ---------------------------------------------------------------------------- */

struct liballoc_abi_identity { /* strings are NUL-terminated, cut where too long; command_line has NULs between words */
  uint32_t command_line_bytes; /*    0 valid bytes of command_line */
  uint32_t flags;              /*    4 */
  char executable[1016];       /*    8 */
  char command_line[1536];     /* 1024 */
  char service[256];           /* 2560 LIBALLOC_SERVICE, else the executable's base name */
  char cgroup[512];            /* 2816 path from /proc/self/cgroup: names the container */
  char version[64];            /* 3328 liballoc's version */
  char hostname[128];          /* 3392 */
  uint64_t reserved[72];       /* 3520 */
};

/* ---- size classes: one record per class 0..66, written once ---------------------------------------------------------- */

struct liballoc_abi_size_class {
  uint32_t object_bytes; /*  0; 0 for class 0 (large) */
  uint32_t span_pages;   /*  4 */
  uint32_t objects;      /*  8 per span */
  uint32_t reserved;     /* 12 */
};

/* ---- memstats: one record, rewritten as a whole -------------------------------------------------------------------- */

struct liballoc_abi_memstats { /* all under `sequence`; bytes unless the name says otherwise */
  uint64_t sequence;           /*   0 odd while being written */
  uint64_t updated_ns;         /*   8 CLOCK_MONOTONIC */
  uint64_t heap_sys;           /*  16 = heap_inuse + heap_idle */
  uint64_t heap_inuse;         /*  24 spans with at least one object, or cached by a thread */
  uint64_t heap_idle;          /*  32 */
  uint64_t heap_released;      /*  40 part of heap_idle that the OS has back */
  uint64_t mspan_inuse;        /*  48 */
  uint64_t mspan_sys;          /*  56 */
  uint64_t mcache_inuse;       /*  64 */
  uint64_t mcache_sys;         /*  72 */
  uint64_t buck_hash_sys;      /*  80 profile tables and the segment itself */
  uint64_t gc_sys;             /*  88 arena metadata: page maps and bitmaps */
  uint64_t other_sys;          /*  96 */
  uint64_t stack_inuse;        /* 104 0: liballoc manages no stacks */
  uint64_t stack_sys;          /* 112 */
  uint64_t os_reserved;        /* 120 bytes in state Reserved */
  uint64_t os_prepared;        /* 128 bytes in state Prepared */
  uint64_t os_ready;           /* 136 bytes in state Ready */
  uint64_t os_calls[8];        /* 144 count of sys_reserve, sys_map, sys_used, sys_unused, sys_fault, sys_alloc, sys_free, failures */
  uint64_t peak_heap_inuse;    /* 208 */
  uint64_t peak_heap_inuse_ns; /* 216 */
  uint64_t scavenged_bytes;    /* 224 cumulative bytes returned by the scavenger */
  uint64_t scavenge_ns;        /* 232 cumulative time spent returning them */
  uint64_t heap_grows;         /* 240 times the heap grew */
  uint64_t heap_grow_bytes;    /* 248 */
  uint64_t soft_limit;         /* 256 0 = none */
  uint64_t soft_limit_hits;    /* 264 */
  uint64_t out_of_memory;      /* 272 requests refused with ENOMEM */
  uint64_t sample_period;      /* 280 mean bytes between samples now; 0 = off, 1 = every allocation */
  uint64_t samples_taken;      /* 288 this and the next two also change one word at a time, outside the sequence */
  uint64_t samples_live;       /* 296 */
  uint64_t samples_truncated;  /* 304 stacks cut at the frame limit */
  uint64_t threads_live;       /* 312 */
  uint64_t threads_started;    /* 320 */
  uint64_t spans_live;         /* 328 spans in use, cached ones included */
  uint64_t spans_idle;         /* 336 free spans in the page heap */
  uint64_t tiny_allocs;        /* 344 sum of the thread blocks' tiny_mallocs */
  uint64_t segment_bytes;      /* 352 bytes of this segment that are backed */
  uint64_t arenas;             /* 360 */
  uint64_t next_trigger;       /* 368 heap_inuse at which the peak profile is taken next */
  uint64_t peak_generation;    /* 376 of the peak section, 0 = none yet; this and the next two change as single words too */
  uint64_t peak_profile_inuse; /* 384 heap_inuse when it was taken */
  uint64_t peak_profile_ns;    /* 392 */
  uint64_t reserved[14];       /* 400 */
};

/* ---- threads: one block per thread, reused by later threads ---------------------------------------------------------- */

struct liballoc_abi_class_counter { /* written by the owning thread alone, plain stores */
  /* One 8-byte word. Low half: mallocs to go until the thread takes its slow path (sampling or an empty bin's first
   * use), signed. High half: the low 32 bits of `granted`. Objects handed out so far, exactly, at any moment:
   *   m = (granted_low - countdown) mod 2^32, extended to 64 bits as the value nearest to `granted`. */
  int32_t countdown;    /*  0 */
  uint32_t granted_low; /*  4 */
  uint64_t granted;     /*  8 objects handed out, plus the countdown at its last setting */
  uint64_t frees;       /* 16 objects of this class freed by this thread, wherever they came from */
  uint64_t refills;     /* 24 times the bin was filled or emptied through a central list */
};

struct liballoc_abi_thread { /* totals are sums over all blocks, in use or not: counters are never reset */
  uint64_t tid;              /*  0 kernel thread id, 0 = no thread has it now */
  uint64_t started_ns;       /*  8 */
  uint64_t threads;          /* 16 threads that have used this block */
  uint64_t large_malloc_bytes; /* 24 allocated bytes of class-0 objects, cumulative */
  uint64_t large_free_bytes; /* 32 */
  uint64_t cached_bytes;     /* 40 in this thread's cache when it last took a slow path */
  uint64_t tiny_mallocs;     /* 48 objects that share 16-byte blocks; the blocks count in their size class */
  uint64_t tiny_frees;       /* 56 of them, by this thread */
  struct liballoc_abi_class_counter classes[LIBALLOC_ABI_CACHE_CLASSES]; /* 64 */
};

/* ---- spans ----------------------------------------------------------------------------------------------------------- */

enum liballoc_abi_span_state {
  LIBALLOC_SPAN_DEAD = 0,   /* the record is unused */
  LIBALLOC_SPAN_FREE = 1,   /* idle in the page heap */
  LIBALLOC_SPAN_PARTIAL = 2,/* in a central list, with free slots */
  LIBALLOC_SPAN_FULL = 3,   /* in a central list, no free slot known */
  LIBALLOC_SPAN_CACHED = 4, /* owned by a thread */
  LIBALLOC_SPAN_LARGE = 5,  /* one object of class 0 */
  LIBALLOC_SPAN_MANUAL = 6,
  LIBALLOC_SPAN_PAGE_CACHED = 7 /* a freed page run kept by a thread for reuse */
};
#define LIBALLOC_SPAN_FLAG_NOSCAN 1u
#define LIBALLOC_SPAN_FLAG_SCAVENGED 2u
#define LIBALLOC_SPAN_FLAG_NEED_ZERO 4u
#define LIBALLOC_SPAN_FLAG_SPECIALS 8u /* holds sampled objects */

struct liballoc_abi_span { /* under `sequence`; writers hold the lock of whatever the span is in */
  uint64_t sequence;    /*  0 odd while being written */
  uint64_t base;        /*  8 address of the first byte; 0 when DEAD */
  uint32_t pages;       /* 16 */
  uint8_t state;        /* 20 enum liballoc_abi_span_state */
  uint8_t size_class;   /* 21 */
  uint8_t flags;        /* 22 LIBALLOC_SPAN_FLAG_* */
  uint8_t reserved0;    /* 23 */
  uint32_t object_bytes;/* 24 slot size; large: 0, see pages */
  uint32_t objects;     /* 28 slots */
  uint32_t allocated;   /* 32 slots handed to threads: live objects and slots in thread caches */
  uint32_t owner_tid;   /* 36 when CACHED or PAGE_CACHED */
  uint64_t changed_ns;  /* 40 last state change */
  uint64_t unused_ns;   /* 48 FREE: since when */
  uint64_t reserved1;   /* 56 */
};

/* ---- profile: stacks, buckets, live samples ---------------------------------------------------------------------------- */

struct liballoc_abi_stack { /* append-only: complete once its extent's count covers it */
  uint64_t hash;        /*  0 */
  uint64_t first_frame; /*  8 record number in the frames section */
  uint32_t depth;       /* 16 */
  uint32_t flags;       /* 20 1 = cut at the depth limit */
  uint64_t reserved;    /* 24 */
};

struct liballoc_abi_frame { /* leaf first; a return address, so a tool steps back one byte to find the call */
  uint64_t pc; /* 0 */
};

struct liballoc_abi_bucket { /* append-only; counters only grow. Raw counts of sampled objects: see docs/segment.md */
  uint32_t stack;           /*  0 stack record number + 1 */
  uint32_t cache_class;     /*  4 */
  uint64_t allocated_bytes; /*  8 per object: what sampling weighs it by */
  uint64_t period;          /* 16 mean bytes between samples when they were taken */
  uint64_t allocs;          /* 24 sampled objects */
  uint64_t alloc_requested; /* 32 their requested bytes */
  uint64_t frees;           /* 40 sampled objects freed since */
  uint64_t free_requested;  /* 48 */
  uint32_t label_set;       /* 56 label set record number + 1 */
  uint32_t reserved;        /* 60 */
};

struct liballoc_abi_peak { /* record n belongs to bucket n: sampled objects in use at the highest heap so far, in half generation % 2 */
  uint64_t generation[2]; /*  0 peak that the half is of: counts only if it is memstats' */
  uint64_t objects[2];    /* 16 raw, weighed as the bucket's */
  uint64_t requested[2];  /* 32 their requested bytes */
  uint64_t reserved[2];   /* 48 */
};

struct liballoc_abi_sample { /* a sampled object that is alive; under `sequence` */
  uint64_t sequence;        /*  0 odd while being written */
  uint64_t address;         /*  8 0 = slot unused */
  uint64_t requested_bytes; /* 16 */
  uint64_t allocated_bytes; /* 24 */
  uint64_t time_ns;         /* 32 */
  uint64_t period;          /* 40 */
  uint32_t stack;           /* 48 stack record number + 1 */
  uint32_t bucket;          /* 52 bucket record number + 1 */
  uint32_t tid;             /* 56 */
  uint32_t label_set;       /* 60 label set record number + 1 */
};

struct liballoc_abi_label { /* append-only: one key=value, each pair once; strings are NUL-terminated, zeros up to the field's end */
  uint64_t hash;        /*  0 */
  uint32_t key_bytes;   /*  8 without the NUL */
  uint32_t value_bytes; /* 12 */
  char key[LIBALLOC_ABI_LABEL_KEY_BYTES];     /* 16 */
  char value[LIBALLOC_ABI_LABEL_VALUE_BYTES]; /* 64 */
};

struct liballoc_abi_label_set { /* append-only: what a thread carried when it was sampled, each set once */
  uint64_t hash;     /*  0 */
  uint32_t labels;   /*  8 how many */
  uint32_t reserved; /* 12 */
  uint32_t label[LIBALLOC_ABI_LABELS_PER_SET]; /* 16 label record numbers + 1, by ascending bytes of the key, no key twice */
};

/* ---- modules -------------------------------------------------------------------------------------------------------- */

struct liballoc_abi_module { /* one executable PT_LOAD of one loaded file; append-only */
  uint64_t start;          /*   0 address range of the segment in memory */
  uint64_t end;            /*   8 */
  uint64_t file_offset;    /*  16 of `start` */
  uint64_t load_bias;      /*  24 memory address - ELF virtual address */
  uint64_t loaded_ns;      /*  32 when it was first seen */
  uint64_t unloaded_ns;    /*  40 when another module was first seen in its place */
  uint32_t build_id_bytes; /*  48 */
  uint32_t path_bytes;     /*  52 */
  uint8_t build_id[32];    /*  56 */
  char path[424];          /*  88 NUL-terminated; "[vdso]" for the vDSO */
};

/* ---- ring ----------------------------------------------------------------------------------------------------------- */

enum liballoc_abi_event {
  LIBALLOC_EVENT_NONE = 0,
  LIBALLOC_EVENT_SAMPLE = 1,        /* a address, b requested, c allocated, d stack | bucket << 32, e period */
  LIBALLOC_EVENT_SAMPLE_FREE = 2,   /* a address, b requested, c allocated, d stack | bucket << 32, e age ns */
  LIBALLOC_EVENT_SPAN_ALLOC = 3,    /* span events: a base, b pages, c span record number, d size class | flags << 8 | state << 16, e detail */
  LIBALLOC_EVENT_SPAN_CACHE = 4,    /*   e allocated slots */
  LIBALLOC_EVENT_SPAN_UNCACHE = 5,  /*   e allocated slots */
  LIBALLOC_EVENT_SPAN_SWEEP = 6,    /*   e slots found free */
  LIBALLOC_EVENT_SPAN_FREE = 7,     /*   back to the page heap */
  LIBALLOC_EVENT_SPAN_SPLIT = 8,    /*   e pages of the idle span that follows */
  LIBALLOC_EVENT_SPAN_MERGE = 9,    /*   e pages of the result */
  LIBALLOC_EVENT_SPAN_SCAVENGE = 10,/*   e bytes released */
  LIBALLOC_EVENT_SPAN_REUSE = 11,   /*   released pages used again */
  LIBALLOC_EVENT_HEAP_GROW = 12,    /* a address, b bytes, c heap_sys after, d stack */
  LIBALLOC_EVENT_HEAP_PEAK = 13,    /* a heap_inuse, b next trigger, c generation of the peak profile that was taken */
  LIBALLOC_EVENT_LIMIT_HIT = 14,    /* a limit, b heap bytes */
  LIBALLOC_EVENT_FAULT = 15,        /* a address, b fault code */
  LIBALLOC_EVENT_THREAD_START = 16, /* a thread block */
  LIBALLOC_EVENT_THREAD_EXIT = 17   /* a thread block */
};

struct liballoc_abi_record { /* event n lies in slot (n - start) mod records, both from ring_round */
  uint64_t sequence; /*  0 ring sequence + 1 when complete, 0 while being written */
  uint64_t time_ns;  /*  8 */
  uint32_t kind;     /* 16 enum liballoc_abi_event */
  uint32_t tid;      /* 20 */
  uint64_t a;        /* 24 */
  uint64_t b;        /* 32 */
  uint64_t c;        /* 40 */
  uint64_t d;        /* 48 */
  uint64_t e;        /* 56 */
};

/* ---- faults --------------------------------------------------------------------------------------------------------- */

enum liballoc_abi_fault_code {
  LIBALLOC_FAULT_NONE = 0,
  LIBALLOC_FAULT_CHECK = 1,         /* an internal invariant */
  LIBALLOC_FAULT_FOREIGN = 2,       /* a pointer that no malloc returned */
  LIBALLOC_FAULT_NOT_ALLOCATED = 3, /* heap memory that is not in use */
  LIBALLOC_FAULT_INTERIOR = 4,      /* a pointer into the middle of an object */
  LIBALLOC_FAULT_DOUBLE_FREE = 5,
  LIBALLOC_FAULT_WRONG_SIZE = 6,  /* the size handed to a sized free is not the object's */
  LIBALLOC_FAULT_CORRUPT_SPAN = 7 /* the allocator's own record of a span contradicts itself */
};

struct liballoc_abi_fault {
  uint64_t code;        /*  0 enum liballoc_abi_fault_code: what was wrong; 0 = unused */
  uint64_t address;     /*  8 the pointer that was handed in */
  uint64_t time_ns;     /* 16 */
  uint32_t tid;         /* 24 */
  uint32_t size_class;  /* 28 */
  uint64_t span_base;   /* 32 */
  uint64_t object_base; /* 40 */
  uint32_t alloc_stack; /* 48 stack record number + 1, where known */
  uint32_t free_stack;  /* 52 */
  uint32_t fault_stack; /* 56 */
  uint32_t span_state;  /* 60 */
  char message[192];    /* 64 */
};

#ifdef __cplusplus
#define LIBALLOC_ABI_ASSERT(cond) static_assert(cond, #cond)
#else
#define LIBALLOC_ABI_ASSERT(cond) _Static_assert(cond, #cond)
#endif
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_header) == 256);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_section) == 64);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_identity) == 4096);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_size_class) == 16);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_memstats) == 512);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_class_counter) == 32);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_thread) == 64 + 134 * 32);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_span) == 64);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_stack) == 32);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_frame) == 8);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_bucket) == 64);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_peak) == 64);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_sample) == 64);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_label) == 256);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_label_set) == 64);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_module) == 512);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_record) == 64);
LIBALLOC_ABI_ASSERT(sizeof(struct liballoc_abi_fault) == 256);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_header, valid_bytes) == 24);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_header, pid) == 48);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_header, page_bytes) == 88);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_header, exit_state) == 104);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_header, growth_failures) == 128);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_section, count) == 24);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_identity, command_line) == 1024);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_identity, cgroup) == 2816);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_memstats, os_calls) == 144);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_memstats, sample_period) == 280);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_memstats, arenas) == 360);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_memstats, peak_generation) == 376);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_thread, classes) == 64);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_span, changed_ns) == 40);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_bucket, label_set) == 56);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_sample, stack) == 48);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_sample, label_set) == 60);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_label, value) == 64);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_label_set, label) == 16);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_module, build_id) == 56);
LIBALLOC_ABI_ASSERT(offsetof(struct liballoc_abi_fault, message) == 64);

#endif /* LIBALLOC_TELEMETRY_ABI_H_ */
