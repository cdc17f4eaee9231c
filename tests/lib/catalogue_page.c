// SPDX-License-Identifier: Apache-2.0
/* catalogue_page FILE: prints FILE with its table of signals made anew. */
#include <string.h>

#include "lib/catalogue_page.h"

int main(int argc, char **argv)
{
	FILE *in = argc == 2 ? fopen(argv[1], "re") : NULL;
	bool inside = false;
	char line[4096];

	if (!in) {
		fprintf(stderr, "usage: catalogue_page FILE\n");
		return 2;
	}
	while (fgets(line, sizeof(line), in)) {
		if (strcmp(line, PAGE_END) == 0)
			inside = false;
		if (!inside)
			fputs(line, stdout);
		if (strcmp(line, PAGE_BEGIN) == 0) {
			inside = true;
			page_print(stdout);
		}
	}
	fclose(in);
	return 0;
}
