#define _GNU_SOURCE
#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (memory == NULL && count > 0)
        fail("no memory for %zu x %zu bytes", count, size);
    return memory;
}

uint64_t nanoseconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

double server_cpu_s(unsigned process) {
    char path[64];
    unsigned long user, system;
    snprintf(path, sizeof path, "/proc/%u/stat", process);
    FILE *file = process > 0 ? fopen(path, "r") : NULL;
    if (file == NULL)
        return 0;
    int found = fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    fclose(file);
    return found == 2 ? (double)(user + system) / (double)sysconf(_SC_CLK_TCK) : 0;
}

static int by_size(const void *left, const void *right) {
    uint32_t one = *(const uint32_t *)left, other = *(const uint32_t *)right;
    return (one > other) - (one < other);
}

void sort_us(uint32_t *us, uint64_t count) {
    qsort(us, count, sizeof *us, by_size);
}

double percentile_ms(uint32_t *us, uint64_t count, unsigned percent) {
    return count > 0 ? us[(count * percent + 99) / 100 - 1] / 1e3 : 0;
}
