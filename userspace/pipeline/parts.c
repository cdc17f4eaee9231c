// SPDX-License-Identifier: Apache-2.0
/* What others may look at. */
#include "pipeline/state.h"

const struct km_attribute *km_pipeline_attribute(const struct km_pipeline *p)
{
	return p->attribute;
}

const struct km_predict *km_pipeline_predict(const struct km_pipeline *p)
{
	return p->predict;
}

struct km_measure *km_pipeline_measure(struct km_pipeline *p)
{
	return p->measure;
}

const struct km_rules *km_pipeline_rules(const struct km_pipeline *p)
{
	return p->set.rules;
}

const struct km_policy *km_pipeline_policy(const struct km_pipeline *p)
{
	return p->set.policy;
}

const struct km_config *km_pipeline_config(const struct km_pipeline *p)
{
	return p->set.config;
}

struct km_decide *km_pipeline_decide(struct km_pipeline *p)
{
	return p->decide;
}

uint64_t km_pipeline_now_ns(const struct km_pipeline *p)
{
	return p->meta->now_ns;
}

uint64_t km_pipeline_realtime_ns(const struct km_pipeline *p, uint64_t t_ns)
{
	return p->meta->realtime_ns - p->meta->clock_ns + t_ns;
}
