// Status line of a workload program, written whole or not at all: a reader never sees half of it.
// Only for the programs beside it; /run is memory, so this never touches the disk.
#ifndef LAB_STATUS_H
#define LAB_STATUS_H

#include <stdio.h>
#include <stdlib.h>

static void write_status(const char *path, const char *line)
{
	char temporary[256];

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	FILE *file = fopen(temporary, "w");
	if (!file || fputs(line, file) < 0 || fclose(file) != 0 || rename(temporary, path) != 0) {
		perror(path);
		exit(1);
	}
}

#endif
