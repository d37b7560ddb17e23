#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void take(const struct choice *choice, const char *given) {
    if (choice->flag != NULL) {
        *choice->flag = true;
    } else if (choice->text != NULL) {
        *choice->text = given;
    } else {
        char *end;
        unsigned long value = strtoul(given, &end, 10);
        if (*given < '0' || *given > '9' || *end != '\0' || value > 100000000)
            fail("--%s %s: a number is wanted", choice->name, given);
        *choice->number = (unsigned)value;
    }
}

void read_choices(int count, char **words, const struct choice *choices, size_t length) {
    struct option *known = allocate(length + 1, sizeof *known);
    for (size_t place = 0; place < length; place++)
        known[place] = (struct option){.name = choices[place].name,
                                       .has_arg = choices[place].flag ? no_argument : required_argument,
                                       .val = (int)place};
    for (int place; (place = getopt_long(count, words, "", known, NULL)) != -1;) {
        if (place < 0 || (size_t)place >= length)
            exit(2);
        take(&choices[place], optarg);
    }
    free(known);
}

const char *api_key(void) {
    const char *key = getenv("WSX_ADMIN_KEY");
    if (key != NULL && strlen(key) > MAX_KEY_CHARS)
        fail("WSX_ADMIN_KEY: a key of at most %d characters is wanted", MAX_KEY_CHARS);
    return key;
}

char *read_whole_file(const char *path) {
    FILE *file = fopen(path, "r");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        fail("%s: %s", path, strerror(errno));
    long length = ftell(file);
    rewind(file);
    char *text = allocate((size_t)length + 1, 1);
    if (fread(text, 1, (size_t)length, file) != (size_t)length)
        fail("%s: it was cut short", path);
    fclose(file);
    return text;
}
