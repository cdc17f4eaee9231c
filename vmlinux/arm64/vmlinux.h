/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The types in use are the same here: see ../README.md. */
#include "../x86/vmlinux.h"
