#include "net/file_stamp.h"

#include <sys/stat.h>

/* Of SplitMix64 (Steele, Lea, Flood 2014): every bit of `value` changes half of the stamp's. */
static uint64_t mix(uint64_t stamp, uint64_t value)
{
    stamp = (stamp ^ value) + 0x9e3779b97f4a7c15u;
    stamp = (stamp ^ (stamp >> 30)) * 0xbf58476d1ce4e5b9u;
    stamp = (stamp ^ (stamp >> 27)) * 0x94d049bb133111ebu;
    return stamp ^ (stamp >> 31);
}

uint64_t file_stamp(uint64_t stamp, const char *const *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct stat st;

        if (!files[i])
            continue;
        if (stat(files[i], &st) != 0)
            st = (struct stat){0};
        stamp = mix(stamp, st.st_dev);
        stamp = mix(stamp, st.st_ino);
        stamp = mix(stamp, (uint64_t)st.st_size);
        stamp = mix(stamp, (uint64_t)st.st_mtim.tv_sec);
        stamp = mix(stamp, (uint64_t)st.st_mtim.tv_nsec);
    }
    return stamp;
}
