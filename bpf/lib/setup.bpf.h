/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What user space fixes before the programs are loaded. The only read-only data of an object, so
 * that the loader finds it at the start of .rodata. */
#ifndef KMEND_SETUP_BPF_H
#define KMEND_SETUP_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "event.h"

const volatile struct kmend_setup kmend_setup = {};

#endif
