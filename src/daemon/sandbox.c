#include "daemon/sandbox.h"

#ifdef WSP_SECCOMP

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/*
 * What the daemons, and the libraries under them, may ask for with any arguments. By name, with a
 * space behind each, so that those that an architecture or an older libseccomp does not have are
 * left out.
 */
static const char allowed[] =
    /* descriptors */
    "read readv pread64 write writev pwrite64 close close_range dup dup2 dup3 pipe pipe2 "
    "fcntl fcntl64 lseek _llseek "
    /* waiting */
    "poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create1 "
    "epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd2 timerfd_create timerfd_settime "
    "timerfd_settime64 signalfd4 "
    /* sockets, whose families are below */
    "bind listen accept accept4 connect getsockname getpeername getsockopt setsockopt send "
    "sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64 shutdown "
    /* files: a reload opens the configuration, certificates and the log; lookups read /etc */
    "open openat stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx statfs "
    "fstatfs access faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd umask "
    "inotify_init1 inotify_add_watch inotify_rm_watch "
    /* unix sockets that are listened on, and the log */
    "chmod fchmod fchmodat unlink unlinkat "
    /* memory; mmap and mprotect are below */
    "brk munmap mremap madvise "
    /* time and chance */
    "clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep "
    "clock_nanosleep_time64 nanosleep gettimeofday time getrandom "
    /* threads (-W) and signals */
    "futex futex_time64 set_robust_list rseq sched_yield sched_getaffinity getcpu "
    "rt_sigaction rt_sigprocmask rt_sigreturn sigreturn sigaltstack restart_syscall exit "
    "exit_group "
    /* who and where we are */
    "getpid gettid getppid getuid getuid32 geteuid geteuid32 getgid getgid32 getegid "
    "getegid32 uname sysinfo getrusage getrlimit ugetrlimit ";

/*
 * What no part of a daemon ever asks for, but injected code would: it ends the process, which the
 * service manager reports and repairs.
 */
static const char deadly[] =
    "execve execveat fork vfork ptrace process_vm_readv process_vm_writev setuid setuid32 "
    "setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32 setresgid "
    "setresgid32 setgroups setgroups32 capset mount umount2 pivot_root chroot unshare setns "
    "bpf init_module finit_module kexec_load kexec_file_load ";

/* A rule for each name; those that do not exist here are passed over. */
static int add_all(scmp_filter_ctx c, uint32_t action, const char *names)
{
    char name[32];
    int err = 0;

    for (size_t len; (len = strcspn(names, " ")) > 0 && err == 0; names += len + 1) {
        int number;

        snprintf(name, sizeof(name), "%.*s", (int)len, names);
        number = seccomp_syscall_resolve_name(name);
        if (number != __NR_SCMP_ERROR)
            err = seccomp_rule_add_array(c, action, number, 0, NULL);
    }
    return err;
}

/* Allows the call `name` when the bits `mask` of its argument `arg` are `value`. */
static int allow_if(scmp_filter_ctx c, const char *name, unsigned arg, uint64_t mask,
                    uint64_t value)
{
    struct scmp_arg_cmp cmp = {
        .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
    int number = seccomp_syscall_resolve_name(name);

    return number == __NR_SCMP_ERROR ? 0
                                     : seccomp_rule_add_array(c, SCMP_ACT_ALLOW, number, 1, &cmp);
}

/* Arguments that the kernel takes as int: what stands above their 32 bits means nothing. */
#define WHOLE_INT 0xffffffffu

static int add_sockets(scmp_filter_ctx c)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
    int err = 0;

    for (size_t i = 0; i < COUNT(families) && err == 0; i++) {
        err = allow_if(c, "socket", 0, WHOLE_INT, (uint64_t)families[i]);
        if (err == 0)
            err = allow_if(c, "socketpair", 0, WHOLE_INT, (uint64_t)families[i]);
    }
    return err;
}

/* No memory that is writable and can be run. Libraries that a name lookup loads are mapped from
 * their files, never writable. */
static int add_memory(scmp_filter_ctx c)
{
    static const char *const maps[] = {"mmap", "mmap2"};
    int err = allow_if(c, "mprotect", 2, PROT_EXEC, 0);

    for (size_t i = 0; i < COUNT(maps) && err == 0; i++) {
        err = allow_if(c, maps[i], 2, PROT_EXEC, 0);
        if (err == 0)
            err = allow_if(c, maps[i], 2, PROT_WRITE | PROT_EXEC, PROT_EXEC);
    }
    return err;
}

/* What is queued in a socket, interfaces by name and number (zones of IPv6 addresses), whether
 * something is a terminal. */
static int add_ioctls(scmp_filter_ctx c)
{
    static const unsigned requests[] = {FIONREAD, TIOCOUTQ,    FIONBIO,
                                        TCGETS,   SIOCGIFNAME, SIOCGIFINDEX};
    int err = 0;

    for (size_t i = 0; i < COUNT(requests) && err == 0; i++)
        err = allow_if(c, "ioctl", 1, WHOLE_INT, requests[i]);
    return err;
}

/* Threads, but no processes. The flags of clone3 are behind a pointer: it does not exist, and glibc
 * takes clone. Signals and limits are for ourselves only. */
static int add_process(scmp_filter_ctx c)
{
    const struct scmp_arg_cmp no_thread = SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
    int err = allow_if(c, "clone", 0, CLONE_THREAD, CLONE_THREAD);

    if (err == 0)
        err = seccomp_rule_add_array(c, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1, &no_thread);
    if (err == 0)
        err = allow_if(c, "tgkill", 0, WHOLE_INT, (uint64_t)getpid());
    if (err == 0)
        err = allow_if(c, "prlimit64", 0, WHOLE_INT, 0);
    return err;
}

static int fill(scmp_filter_ctx c)
{
    int err = add_all(c, SCMP_ACT_ALLOW, allowed);

    if (err == 0)
        err = add_all(c, SCMP_ACT_KILL_PROCESS, deadly);
    if (err == 0)
        err = add_sockets(c);
    if (err == 0)
        err = add_memory(c);
    if (err == 0)
        err = add_ioctls(c);
    if (err == 0)
        err = add_process(c);
    return err;
}

/* Where the kernel can, what is denied is put into its audit log. */
static int load(scmp_filter_ctx c)
{
    (void)seccomp_attr_set(c, SCMP_FLTATR_CTL_LOG, 1);
    (void)seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    (void)seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    return seccomp_load(c);
}

/* It translates the program, and would have to do that under our filter. */
static bool runs_under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return preload && strstr(preload, "/vgpreload_core");
}

bool sandbox_enter(const char **why)
{
    scmp_filter_ctx c;
    int err = -ENOMEM;

    *why = "valgrind runs this process";
    if (runs_under_valgrind())
        return false;
    c = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (c) {
        err = fill(c);
        if (err == 0)
            err = load(c);
        seccomp_release(c);
    }
    *why = strerror(-err);
    return err == 0;
}

#else

bool sandbox_enter(const char **why)
{
    *why = "this build has no filter";
    return false;
}

#endif
