/**
 * The functions of the C library that native.ts calls, with the shapes of their arguments. Data only. In groups, because
 * binding a function costs 0.1 ms: a command that asks the database needs no more than the first, one that changes
 * something seldom needs the last.
 */
export const READING = {
  __errno_location: { parameters: [], result: "pointer" },
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
  geteuid: { parameters: [], result: "u32" },
  // Calls newer than the C libraries the runtime supports, and those of Peios, go by number: one entry per shape.
  openat2: { name: "syscall", parameters: ["i64", "i32", "buffer", "buffer", "usize"], result: "i32" },
  kacs_sd: { name: "syscall", parameters: ["i64", "i32", "buffer", "u32", "buffer", "usize", "u32"], result: "i32" },
} as const;

export const LISTING = {
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  getdents64: { name: "syscall", parameters: ["i64", "i32", "buffer", "usize"], result: "i32" },
} as const;

export const INQUIRING = {
  fstatfs: { parameters: ["i32", "buffer"], result: "i32" },
  readlinkat: { parameters: ["i32", "buffer", "buffer", "usize"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  getpid: { parameters: [], result: "i32" },
  getuid: { parameters: [], result: "u32" },
  getgid: { parameters: [], result: "u32" },
  uname: { parameters: ["buffer"], result: "i32" },
} as const;

export const WRITING = {
  mkdirat: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  unlinkat: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  fchownat: { parameters: ["i32", "buffer", "u32", "u32", "i32"], result: "i32" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  fsync: { parameters: ["i32"], result: "i32" },
  syncfs: { parameters: ["i32"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  // Calls newer than the C libraries the runtime supports, and those of Peios, go by number: one entry per shape.
  renameat2: { name: "syscall", parameters: ["i64", "i32", "buffer", "i32", "buffer", "u32"], result: "i32" },
  fchmodat2: { name: "syscall", parameters: ["i64", "i32", "buffer", "u32", "i32"], result: "i32" },
  kmes_emit: { name: "syscall", parameters: ["i64", "buffer", "u32", "buffer", "u32"], result: "i32" },
  kacs_open_self_token: { name: "syscall", parameters: ["i64", "u32", "u32"], result: "i32" },
} as const;

/** What few packages and roots need. The C library is there already: binding later reads no file (T-COMMIT-30). */
export const RARE = {
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  symlinkat: { parameters: ["buffer", "i32", "buffer"], result: "i32" },
  linkat: { parameters: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  utimensat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  fgetxattr: { parameters: ["i32", "buffer", "buffer", "usize"], result: "i32" },
  fsetxattr: { parameters: ["i32", "buffer", "buffer", "usize", "i32"], result: "i32" },
  fremovexattr: { parameters: ["i32", "buffer"], result: "i32" },
  kill: { parameters: ["i32", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  kacs_open: { name: "syscall", parameters: ["i64", "i32", "buffer", "buffer", "usize", "buffer"], result: "i32" },
} as const;

/** Called by another thread, beside the work of this one. */
export const BESIDE = {
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32", nonblocking: true },
} as const;
