/* SPDX-License-Identifier: Apache-2.0 */
/* Raw records for tests of the pipeline: one supervised service that leaks, ends and is helped. */
#ifndef KM_TEST_STREAM_H
#define KM_TEST_STREAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "pipeline/pipeline.h"
#include "pipeline/texts.h"

#define S           KM_NS_PER_S
#define LEAK_CGROUP 4242ULL

static const char stream_config[] =
	"{\"version\":1,\"services\":[{\"name\":\"leaky\",\"command\":[\"/bin/leaky\"],"
	"\"limits\":{\"memory\":\"64MiB\"}}]}";
static const char stream_policy[] =
	"{\"version\":1,\"verbs\":[\"start\",\"restart\"],\"services\":[\"leaky\"],"
	"\"budget\":{\"service\":{\"count\":50,\"per\":\"1m\"},\"host\":{\"count\":50,\"per\":"
	"\"1m\"}}}";
static const char stream_rule[] =
	"{\"version\":1,\"id\":\"leak\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","
	"\"maturity\":\"experimental\",\"scope\":{\"services\":[\"leaky\"]},"
	"\"when\":{\"forecast\":{\"kind\":\"exhaustion\",\"resource\":\"memory\","
	"\"probability\":\"50%\",\"within\":\"20s\"}},"
	"\"plan\":[{\"do\":\"restart\",\"timeout\":\"5s\"}],"
	"\"verify\":{\"within\":\"10s\",\"that\":{\"up\":true,\"forecast_gone\":true}},"
	"\"otherwise\":\"escalate\",\"guard\":{\"mode\":\"auto\",\"cooldown\":\"5s\"}}";
static const char stream_keep_rule[] =
	"{\"version\":1,\"id\":\"keep\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","
	"\"maturity\":\"experimental\",\"scope\":{\"services\":[\"leaky\"]},"
	"\"when\":{\"event\":{\"is\":\"ended\",\"how\":\"any\"}},"
	"\"plan\":[{\"do\":\"start\",\"timeout\":\"5s\"}],"
	"\"verify\":{\"within\":\"5s\",\"that\":{\"up\":true,\"up_for\":\"1s\"}},"
	"\"otherwise\":\"escalate\",\"guard\":{\"mode\":\"auto\","
	"\"backoff\":{\"base\":\"1s\",\"max\":\"30s\",\"reset\":\"60s\"}}}";

/* One step, no back-off: VERB is what it does about any end. */
#define STREAM_PLAIN_RULE(verb)                                                            \
	"{\"version\":1,\"id\":\"plain\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\"," \
	"\"maturity\":\"experimental\",\"scope\":{\"services\":[\"leaky\"]},"              \
	"\"when\":{\"event\":{\"is\":\"ended\",\"how\":\"any\"}},"                         \
	"\"plan\":[{\"do\":\"" verb "\",\"timeout\":\"5s\"}],"                             \
	"\"verify\":{\"within\":\"5s\",\"that\":{\"up\":true,\"up_for\":\"1s\"}},"         \
	"\"otherwise\":\"escalate\",\"guard\":{\"mode\":\"auto\"}}"

typedef int (*stream_sink)(void *userdata, const void *raw, size_t len);

static inline struct kmend_hdr stream_hdr(uint16_t type, size_t size, uint64_t t_ns)
{
	return (struct kmend_hdr){
		.type = type,
		.size = (uint16_t)size,
		.ktime_ns = t_ns,
		.cgroup_id = LEAK_CGROUP,
	};
}

static inline void stream_text(enum km_text_kind kind, const char *file, const char *text,
                               uint64_t t_ns, stream_sink sink, void *userdata)
{
	struct km_text_source s = { kind, file, text, strlen(text) };

	assert_true(km_text_send(&s, t_ns, sink, userdata) >= 0);
}

/* Configuration, policy and both rules, committed. */
static inline void stream_set(uint64_t t_ns, stream_sink sink, void *userdata)
{
	stream_text(KM_TEXT_CONFIG, "kmend.json", stream_config, t_ns, sink, userdata);
	stream_text(KM_TEXT_POLICY, "policy/guardrails.json", stream_policy, t_ns, sink, userdata);
	stream_text(KM_TEXT_RULE, "crash/keep.json", stream_keep_rule, t_ns, sink, userdata);
	stream_text(KM_TEXT_RULE, "memory/leak.json", stream_rule, t_ns, sink, userdata);
	stream_text(KM_TEXT_COMMIT, "commit", "", t_ns, sink, userdata);
}

static inline void stream_outcome(enum km_outcome_state state, uint64_t intent, uint32_t verb,
                                  uint32_t tgid, uint64_t t_ns, stream_sink sink, void *userdata)
{
	struct km_raw_outcome o = {
		.hdr = stream_hdr(KM_RAW_OUTCOME, sizeof(o), t_ns),
		.intent_id = intent,
		.state = state,
		.verb = verb,
		.tgid = tgid,
		.start_ns = tgid ? t_ns : 0,
		.service = "leaky",
	};

	assert_true(sink(userdata, &o, sizeof(o)) >= 0);
}

static inline void stream_level(uint64_t level, uint64_t t_ns, stream_sink sink, void *userdata)
{
	struct km_raw_level l = {
		.hdr = stream_hdr(KM_RAW_LEVEL, sizeof(l), t_ns),
		.resource = KM_MEMORY,
		.level = level,
		.limit = 64 << 20,
	};

	assert_true(sink(userdata, &l, sizeof(l)) >= 0);
}

static inline void stream_tick(uint64_t t_ns, stream_sink sink, void *userdata)
{
	struct km_raw_tick t = { .hdr = stream_hdr(KM_RAW_TICK, sizeof(t), t_ns) };

	t.hdr.cgroup_id = 0;
	assert_true(sink(userdata, &t, sizeof(t)) >= 0);
}

static inline void stream_task(uint32_t tgid, uint64_t start_ns, uint64_t t_ns, stream_sink sink,
                               void *userdata)
{
	struct kmend_task t = {
		.hdr = stream_hdr(KMEND_TASK, sizeof(t), t_ns),
		.tgid = tgid,
		.start_ns = start_ns,
		.threads = 1,
		.has = KMEND_HAS_THREADS,
		.state = 'S',
		.comm = "leaky",
	};

	assert_true(sink(userdata, &t, sizeof(t)) >= 0);
}

static inline void stream_exit(uint32_t tgid, uint64_t start_ns, uint32_t code, uint64_t t_ns,
                               stream_sink sink, void *userdata)
{
	struct kmend_exit e = {
		.hdr = stream_hdr(KMEND_EXIT, sizeof(e), t_ns),
		.tgid = tgid,
		.start_ns = start_ns,
		.exit_code = code,
		.comm = "leaky",
	};

	assert_true(sink(userdata, &e, sizeof(e)) >= 0);
}

#endif
