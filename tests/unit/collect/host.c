// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "collect/collect.h"
#include "collect/bpf.h"
#include "collect/host.h"
#include "collect/level.h"

static void pressure_becomes_parts_per_million(void **state)
{
	static const char text[] = "some avg10=1.23 avg60=0.50 avg300=0.10 total=12345\n"
				   "full avg10=100.00 avg60=0.00 avg300=0.00 total=1\n";
	uint32_t v = 7;

	(void)state;
	assert_int_equal(km_psi_parse(text, "some", &v), 0);
	assert_int_equal(v, 12300);
	assert_int_equal(km_psi_parse(text, "full", &v), 0);
	assert_int_equal(v, 1000000);
}

static void pressure_that_is_nonsense_is_refused(void **state)
{
	uint32_t v = 7;

	(void)state;
	assert_int_equal(km_psi_parse("some avg10=", "some", &v), -EBADMSG);
	assert_int_equal(km_psi_parse("some avg10=nan", "some", &v), -EBADMSG);
	assert_int_equal(km_psi_parse("some avg10=-1.00", "some", &v), -EBADMSG);
	assert_int_equal(km_psi_parse("some avg10=100.01", "some", &v), -EBADMSG);
	assert_int_equal(km_psi_parse("some total=3", "some", &v), -ENOENT);
	assert_int_equal(km_psi_parse("", "some", &v), -ENOENT);
	assert_int_equal(v, 7);
}

static void open_files_are_those_not_free(void **state)
{
	uint64_t open = 7, max = 7;

	(void)state;
	assert_int_equal(km_file_nr_parse("1184\t84\t9223372036854775807", &open, &max), 0);
	assert_int_equal(open, 1100);
	assert_true(max == INT64_MAX);
	assert_int_equal(km_file_nr_parse("3 9 10", &open, &max), 0);
	assert_int_equal(open, 0);
	assert_int_equal(km_file_nr_parse("3 9", &open, &max), -EBADMSG);
	assert_int_equal(max, 10);
}

static void meminfo_is_in_bytes(void **state)
{
	struct km_raw_host h = { 0 };

	(void)state;
	assert_int_equal(km_meminfo_parse("MemTotal:  1000 kB\nMemFree: 1 kB\n"
	                                  "MemAvailable:   500 kB\nSwapTotal: 0 kB\n"
	                                  "SwapFree: 0 kB\n",
	                                  &h),
	                 0);
	assert_int_equal(h.memory_total_bytes, 1024000);
	assert_int_equal(h.memory_available_bytes, 512000);
	assert_int_equal(km_meminfo_parse("MemTotal: 1 kB\n", &h), -ENOENT);
}

static void what_the_kernel_counts_of_its_troubles_is_read(void **state)
{
	static const char text[] = "pgalloc_normal 7\nallocstall_normal 3\nallocstall_movable 4\n"
				   "pgmajfault 11\ncompact_stall 5\noom_kill 2\n";
	struct km_troubles t;

	(void)state;
	km_vmstat_parse(text, &t);
	assert_int_equal(t.reclaim_stalls, 7);
	assert_int_equal(t.major_faults, 11);
	assert_int_equal(t.compaction_stalls, 5);
	assert_int_equal(t.oom_kills, 2);
	km_vmstat_parse("nothing of it 1\n", &t);
	assert_int_equal(t.oom_kills + t.reclaim_stalls, 0);
	assert_int_equal(km_stat_value("frozen 1\npopulated 0\n", "populated"), 0);
	assert_true(km_stat_value("max_usec 9\n", "max") == KM_UNKNOWN);
}

static void tasks_and_waiting_connections_are_counted(void **state)
{
	uint64_t n = 0;

	(void)state;
	assert_int_equal(km_loadavg_parse("0.10 0.20 0.30 1/234 4711\n", &n), 0);
	assert_int_equal(n, 234);
	assert_int_equal(km_loadavg_parse("0.10 0.20", &n), -EBADMSG);
	assert_int_equal(km_loadavg_parse("0.10 1/x", &n), -EBADMSG);
	assert_int_equal(km_sockstat_parse("sockets: used 9\nTCP: inuse 5 orphan 0 tw 13 alloc 7\n"
	                                   "UDP: inuse 1\n",
	                                   &n),
	                 0);
	assert_int_equal(n, 13);
	assert_int_equal(km_sockstat_parse("TCP: inuse 5\nUDP: inuse 1 tw 3\n", &n), -EBADMSG);
}

static void limits_that_are_none_are_unknown(void **state)
{
	(void)state;
	assert_true(km_limit_parse("max") == KM_UNKNOWN);
	assert_true(km_limit_parse("9223372036854771712") == KM_UNKNOWN);
	assert_true(km_limit_parse("4611686018427387904") == KM_UNKNOWN);
	assert_true(km_limit_parse("4611686018427387903") == 4611686018427387903);
	assert_true(km_limit_parse("99999999999999999999999") == KM_UNKNOWN);
	assert_true(km_limit_parse("") == KM_UNKNOWN);
	assert_int_equal(km_limit_parse("0"), 0);
	assert_int_equal(km_limit_parse("67108864\n"), 67108864);
}

static void the_page_cache_is_reclaimable_and_shared_memory_is_not(void **state)
{
	static const char v2[] = "anon 1000\nfile 900\nshmem 300\ninactive_anon 5\n"
				 "inactive_file 400\nactive_file 200\nslab_reclaimable 30\n"
				 "slab_unreclaimable 7\nworkingset_activate_file 99\n";
	static const char v1[] = "cache 1\nrss 2\ninactive_file 3\nactive_file 4\n"
				 "total_inactive_file 50\ntotal_active_file 60\n";

	(void)state;
	assert_int_equal(km_memory_reclaimable(v2), 630);
	assert_int_equal(km_memory_reclaimable(v1), 110);
	assert_int_equal(km_memory_reclaimable(""), 0);
	assert_int_equal(km_memory_reclaimable("xinactive_file 4\n"), 0);
}

static void the_doctor_needs_no_privilege_and_says_what_to_do(void **state)
{
	struct km_finding f[KM_FINDINGS_MAX];
	size_t n = km_collect_doctor(f, KM_FINDINGS_MAX);

	(void)state;
	assert_true(n >= 10);
	for (size_t i = 0; i < n; i++) {
		assert_true(f[i].what[0] && f[i].detail[0]);
		if (f[i].state == KM_FOUND_MISSING || f[i].state == KM_FOUND_LIMITED)
			assert_true(f[i].remedy[0]);
	}
	assert_int_equal(km_collect_doctor(f, 3), 3);
}

static void established_connections_are_found_by_their_column(void **state)
{
	static const char text[] =
		"Ip: Forwarding DefaultTTL\nIp: 1 64\n"
		"Tcp: RtoAlgorithm RtoMin MaxConn AttemptFails CurrEstab InSegs\n"
		"Tcp: 1 200 -1 7 42 1000\nUdp: InDatagrams\nUdp: 3\n";
	uint64_t n = 0;

	(void)state;
	assert_int_equal(km_snmp_parse(text, &n), 0);
	assert_int_equal(n, 42);
	assert_int_equal(km_snmp_parse("Ip: x\nIp: 1\n", &n), -EBADMSG);
	assert_int_equal(km_snmp_parse("x\nTcp: A B\n", &n), -EBADMSG);
	assert_int_equal(km_snmp_parse("x\nTcp: A B\nTcp: 1 2\n", &n), -EBADMSG);
	assert_int_equal(km_snmp_parse("x\nTcp: A CurrEstab B\nTcp: 1\n", &n), -EBADMSG);
}

static void reasons_are_told_by_their_names(void **state)
{
	(void)state;
	assert_int_equal(km_drop_of("NO_SOCKET"), KM_DROP_NO_SOCKET);
	assert_int_equal(km_drop_of("UDP_CSUM"), KM_DROP_DAMAGED);
	assert_int_equal(km_drop_of("NOT_SPECIFIED"), KM_DROP_NONE);
	assert_int_equal(km_drop_of("OF_THE_FUTURE"), KM_DROP_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(established_connections_are_found_by_their_column),
		cmocka_unit_test(reasons_are_told_by_their_names),
		cmocka_unit_test(pressure_becomes_parts_per_million),
		cmocka_unit_test(pressure_that_is_nonsense_is_refused),
		cmocka_unit_test(open_files_are_those_not_free),
		cmocka_unit_test(meminfo_is_in_bytes),
		cmocka_unit_test(what_the_kernel_counts_of_its_troubles_is_read),
		cmocka_unit_test(tasks_and_waiting_connections_are_counted),
		cmocka_unit_test(limits_that_are_none_are_unknown),
		cmocka_unit_test(the_page_cache_is_reclaimable_and_shared_memory_is_not),
		cmocka_unit_test(the_doctor_needs_no_privilege_and_says_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
