// SPDX-License-Identifier: Apache-2.0
/* Why something was not loaded, and which programs fit a kernel by its type information. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <bpf/btf.h>

#include "collect/bpf.h"

#define BIT(id) (1U << (id))

static const char *reason(int err, const char *log)
{
	static char text[KM_NAME_MAX];

	km_bpf_reason(err, log, text, sizeof(text));
	return text;
}

static void the_verifier_is_quoted_without_its_statistics(void **state)
{
	static const char log[] = "0: R1=ctx()\n5: (79) r3 = *(u64 *)(r1 +8)\n"
				  "R1 invalid mem access 'scalar'\n"
				  "processed 6 insns (limit 1000000) max_states_per_insn 0\n"
				  "verification time 12 usec\nstack depth 24\n\n";

	(void)state;
	assert_non_null(strstr(reason(-EACCES, log), "R1 invalid mem access 'scalar'"));
	assert_null(strstr(reason(-EACCES, log), "processed"));
	assert_string_equal(reason(-EACCES, ""), strerror(EACCES));
	assert_string_equal(reason(-EACCES, "processed 6 insns\n"), strerror(EACCES));
	assert_string_equal(reason(-E2BIG, NULL), strerror(E2BIG));
}

static void a_log_of_any_length_fits(void **state)
{
	char log[2048];

	(void)state;
	memset(log, 'x', sizeof(log));
	log[sizeof(log) - 1] = '\0';
	assert_true(strlen(reason(-EACCES, log)) < KM_NAME_MAX);
}

static void causes_come_with_their_remedy(void **state)
{
	(void)state;
	assert_non_null(strstr(reason(-EPERM, NULL), "CAP_BPF"));
	assert_non_null(strstr(reason(-ESRCH, NULL), "CONFIG_DEBUG_INFO_BTF"));
	assert_non_null(strstr(reason(-ENOSYS, NULL), "bpf() system call"));
}

static void a_kernel_without_hooks_gets_nothing_and_says_so(void **state)
{
	struct btf *btf = btf__new_empty();
	struct km_bpf b;

	(void)state;
	km_bpf_init(&b);
	assert_int_equal(km_bpf_hooks(&b, btf, KM_FAMILY_PROC), 0);
	assert_int_equal(km_bpf_hooks(&b, btf, KM_FAMILY_MEM), 0);
	assert_int_equal(km_bpf_hooks(&b, btf, KM_FAMILY_SNAPSHOT), 0);
	assert_int_equal(km_bpf_hooks(&b, btf, KM_FAMILY_PROBE),
	                 BIT(KM_PROG_WHERE) | BIT(KM_PROG_CANARY));
	assert_non_null(strstr(b.progs[KM_PROG_EXIT].reason, "sched_process_exit"));
	assert_non_null(strstr(b.progs[KM_PROG_TASKS].reason, "iterator task"));
	btf__free(btf);
}

/* A kernel with mark_victim(int) or mark_victim(struct task_struct *, int), and signal_generate. */
static uint32_t victim_programs(bool by_task, struct km_bpf *b)
{
	struct btf *btf = btf__new_empty();
	int i32 = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	int any = btf__add_ptr(btf, 0);
	int task = btf__add_ptr(btf, btf__add_fwd(btf, "task_struct", BTF_FWD_STRUCT));
	uint32_t mask;
	int proto;

	proto = btf__add_func_proto(btf, 0);
	btf__add_func_param(btf, "", any);
	btf__add_func_param(btf, "", by_task ? task : i32);
	btf__add_typedef(btf, "btf_trace_mark_victim", btf__add_ptr(btf, proto));
	proto = btf__add_func_proto(btf, 0);
	btf__add_func_param(btf, "", any);
	btf__add_typedef(btf, "btf_trace_signal_generate", btf__add_ptr(btf, proto));
	km_bpf_init(b);
	mask = km_bpf_hooks(b, btf, KM_FAMILY_MEM);
	btf__free(btf);
	return mask;
}

static void the_program_for_victims_follows_the_type_not_the_version(void **state)
{
	struct km_bpf b;

	(void)state;
	assert_int_equal(victim_programs(true, &b), BIT(KM_PROG_OOM));
	assert_int_equal(b.progs[KM_PROG_OOM_PID].state, KM_PROG_UNUSED);
	assert_int_equal(victim_programs(false, &b), BIT(KM_PROG_OOM_PID) | BIT(KM_PROG_OOM_KILL));
	assert_int_equal(b.progs[KM_PROG_OOM].state, KM_PROG_UNUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_verifier_is_quoted_without_its_statistics),
		cmocka_unit_test(a_log_of_any_length_fits),
		cmocka_unit_test(causes_come_with_their_remedy),
		cmocka_unit_test(a_kernel_without_hooks_gets_nothing_and_says_so),
		cmocka_unit_test(the_program_for_victims_follows_the_type_not_the_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
