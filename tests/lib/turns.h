/* A real loop, run for a while. */
#ifndef TESTS_LIB_TURNS_H
#define TESTS_LIB_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "tunnel/loop.h"

/* Until somebody breaks the loop: true; or so many us have passed: false. */
bool turns_run(struct loop *, int64_t us);

#endif
