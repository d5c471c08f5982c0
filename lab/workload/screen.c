// Measures a framebuffer as programs see it.
//   screen full FB SECONDS        writes whole pictures as fast as they are taken; prints how many
//   screen lag FB VRAM TIMES      from a change of FB (16 bits) until it is in VRAM, the memory of the card behind it;
//                                 prints middle, ninth tenth and most, in microseconds
// VRAM is a card's /sys/bus/pci/devices/…/resource0. Where in it the picture lies is found by writing a pattern.
#include <fcntl.h>
#include <linux/fb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { RUN = 64, PATIENCE_US = 5000000 };
static const char pattern[RUN + 1] = "1011000111001010111110000010011010011101110001011010000111101100";

static int die(const char *what) { perror(what); return 1; }

static uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static int full(int fb, size_t bytes, uint64_t seconds) {
  uint8_t *picture[2] = { malloc(bytes), malloc(bytes) };
  if (!picture[0] || !picture[1]) return die("memory");
  for (size_t i = 0; i < bytes; i++) picture[0][i] = (uint8_t)i, picture[1][i] = (uint8_t)~i;
  unsigned count = 0;
  for (uint64_t end = now_us() + seconds * 1000000u; now_us() < end; count++)
    if (pwrite(fb, picture[count % 2], bytes, 0) != (ssize_t)bytes) return die("write");
  printf("%u\n", count);
  return 0;
}

/// Where the run of pixels lies, in steps of `size` bytes, only colour bits compared; NULL when it does not.
static const volatile uint8_t *find(const volatile uint8_t *vram, size_t length, size_t size) {
  for (const volatile uint8_t *at = vram; at + RUN * size <= vram + length; at += size) {
    int i = 0;
    for (; i < RUN; i++) {
      uint32_t pixel = size == 4 ? *(const volatile uint32_t *)(at + i * size) & 0xffffffu : *(const volatile uint16_t *)(at + i * size);
      if (pixel != (pattern[i] == '1' ? (size == 4 ? 0xffffffu : 0xffffu) : 0)) break;
    }
    if (i == RUN) return at;
  }
  return NULL;
}

static int ascending(const void *one, const void *other) {
  uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
  return a < b ? -1 : a > b;
}

static int lag(int fb, off_t place, const char *vram_path, unsigned times) {
  int card = open(vram_path, O_RDWR);
  struct stat info;
  if (card < 0 || fstat(card, &info) < 0) return die(vram_path);
  const volatile uint8_t *vram = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, card, 0), *at = NULL;
  if (vram == MAP_FAILED) return die("mmap");
  uint16_t run[RUN];
  for (int i = 0; i < RUN; i++) run[i] = pattern[i] == '1' ? 0xffff : 0;
  if (pwrite(fb, run, sizeof run, place) != sizeof run) return die("write");
  for (int tries = 0; tries < 10 && !at; tries++) {
    usleep(200000);
    at = find(vram, (size_t)info.st_size, 4);
    if (!at) at = find(vram, (size_t)info.st_size, 2);
  }
  if (!at) { fprintf(stderr, "the picture is not in %s\n", vram_path); return 1; }
  uint64_t *took = calloc(times, sizeof *took);
  for (unsigned n = 0; n < times; n++) {
    usleep(150000 + (useconds_t)(random() % 100000)); // falls anywhere between two looks of whoever carries the picture
    uint16_t pixel = n % 2 ? 0xffff : 0; // the first of the pattern is white
    uint64_t began = now_us();
    if (pwrite(fb, &pixel, sizeof pixel, place) != sizeof pixel) return die("write");
    while ((*(const volatile uint8_t *)at != 0) != (pixel != 0)) {
      if (now_us() - began > PATIENCE_US) { fprintf(stderr, "a change never came\n"); return 1; }
      usleep(200);
    }
    took[n] = now_us() - began;
  }
  qsort(took, times, sizeof *took, ascending);
  printf("%lu %lu %lu\n", (unsigned long)took[times / 2], (unsigned long)took[times * 9 / 10], (unsigned long)took[times - 1]);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int fb = open(argv[2], O_RDWR);
  struct fb_var_screeninfo mode;
  struct fb_fix_screeninfo fixed;
  if (fb < 0 || ioctl(fb, FBIOGET_VSCREENINFO, &mode) < 0 || ioctl(fb, FBIOGET_FSCREENINFO, &fixed) < 0) return die(argv[2]);
  if (!strcmp(argv[1], "full")) return full(fb, (size_t)fixed.line_length * mode.yres, (uint64_t)atoi(argv[3]));
  if (argc < 5 || mode.bits_per_pixel != 16) return 2;
  // The middle of the picture: no console writes there while it stands still.
  return lag(fb, (off_t)fixed.line_length * (mode.yres / 2) + 2 * 200, argv[3], (unsigned)atoi(argv[4]));
}
