/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The number of a system call, of the registers that it was made with. */
#ifndef KMEND_CALL_BPF_H
#define KMEND_CALL_BPF_H

#include "lib/setup.bpf.h"
#include <bpf/bpf_core_read.h>

#if defined(__TARGET_ARCH_x86)
static __always_inline int call_number(struct pt_regs *regs)
{
	return regs->orig_ax;
}
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs___number {
	int syscallno;
} __attribute__((preserve_access_index));

static __always_inline int call_number(struct pt_regs *regs)
{
	return BPF_CORE_READ((struct pt_regs___number *)regs, syscallno);
}
#endif

#endif
