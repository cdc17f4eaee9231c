/* SPDX-License-Identifier: Apache-2.0 */
/* The part of bpf/README.md that is made from the catalogue. */
#ifndef KM_TEST_CATALOGUE_PAGE_H
#define KM_TEST_CATALOGUE_PAGE_H

#include <stdio.h>

#include "base/catalogue.h"

#define PAGE_BEGIN "<!-- signals: made by make signals-page -->\n"
#define PAGE_END   "<!-- end of signals -->\n"

static inline void page_row(FILE *out, const struct km_catalogue_row *row)
{
	const char *comma = "";

	fprintf(out, "| `%s` | %s | ", row->name, row->unit);
	for (int e = 0; e < KM_ENTITY_MAX; e++) {
		if (!(row->entities & 1U << e))
			continue;
		fprintf(out, "%s%s", comma, km_entity_names[e]);
		comma = ", ";
	}
	fprintf(out, " | %s, %s | %s | %s | %s | %s", km_shape_names[row->shape],
	        km_tier_names[row->tier], row->hook, row->cost, row->since, row->meaning);
	if (row->resource < KM_RESOURCE_MAX)
		fprintf(out, " (`%s`)", km_resource_names[row->resource]);
	fputs(" |\n", out);
}

static inline void page_print(FILE *out)
{
	fputs("| signal | unit | per | kind, tier | hook | cost | since | what it means (resource) "
	      "|\n"
	      "|---|---|---|---|---|---|---|---|\n",
	      out);
	for (int i = 0; i < KM_SIG_MAX; i++)
		page_row(out, &km_catalogue[i]);
}

#endif
