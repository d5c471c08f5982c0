// Parses a job: tagged fields, each length checked. Unknown tags are refused: agent and helper come from one image.
#include "frozen.h"
#include <string.h>

static bool take(struct bytes field, void *out, uint32_t length) {
  if (field.length != length) return false;
  memcpy(out, field.at, length);
  return true;
}

static bool take_plan(struct bytes field, struct bytes *out) {
  *out = field;
  return plan_valid(field);
}

static bool memory_valid(struct bytes f) {
  uint64_t range[3], frames = 0;
  for (uint32_t at = 0; f.length % sizeof range == 0 && at < f.length; at += sizeof range) {
    memcpy(range, f.at + at, sizeof range);
    if (range[0] > INT64_MAX / 2 || range[1] >= range[2] || range[2] > 1ull << 40 || (frames += range[2] - range[1]) > 1ull << 31) return false;
  }
  return f.length % sizeof range == 0;
}

static bool faults_valid(struct bytes f) {
  uint16_t pair[2];
  for (uint32_t at = 0; f.length % 8 == 0 && at < f.length; at += 8) {
    memcpy(pair, f.at + at, sizeof pair);
    if (!pair[0] || pair[0] >= FAULT_POINTS || !pair[1] || pair[1] >= FAULT_KINDS) return false;
  }
  return f.length % 8 == 0;
}

static bool field_into(uint16_t tag, struct bytes f, struct job *job) {
  uint32_t wide, times[4];
  switch (tag) {
    case FIELD_EPOCH: return take(f, &job->epoch, 8);
    case FIELD_CLAIM_ADDRESS: return take(f, &job->claim_address, 4);
    case FIELD_CLAIM_PORT: return take(f, &wide, 4) && wide > 0 && wide < 65536 && (job->claim_port = (uint16_t)wide);
    case FIELD_COPY_ADDRESS: return take(f, &job->copy_address, 4);
    case FIELD_COPY_INTERFACE:
      if (f.length >= sizeof job->copy_interface) return false;
      memcpy(job->copy_interface, f.at, f.length);
      return true;
    case FIELD_GHOST_ARGV: job->ghost_argv = f; return f.length > 0 && f.at[f.length - 1] == 0;
    case FIELD_FAULTS: job->faults = f; return faults_valid(f);
    case FIELD_TIMEOUTS_MS:
      if (!take(f, times, 16)) return false;
      job->stall_ms = times[0]; job->ready_ms = times[1]; job->claim_ms = times[2]; job->repeat_ms = times[3];
      return true;
    case FIELD_PLAN_LEAVE: return take_plan(f, &job->leave);
    case FIELD_PLAN_SERVE: return take_plan(f, &job->serve);
    case FIELD_PLAN_RETURN: return take_plan(f, &job->back);
    case FIELD_PLAN_ARRIVE: return take_plan(f, &job->arrive);
    case FIELD_PLAN_ADOPT: return take_plan(f, &job->adopt);
    case FIELD_PLAN_MAKE_ROOM: return take_plan(f, &job->make_room);
    case FIELD_RAM_RANGES: job->ram_ranges = f; return f.length % 16 == 0;
    case FIELD_GIVEN_UP: job->given_up = f; return f.length % 16 == 0;
    case FIELD_E820_CHECKSUM: return take(f, &job->e820_checksum, 4);
    case FIELD_PHYSICAL_PAGES: return take(f, &job->physical_pages, 8);
    case FIELD_MEMORY: job->memory = f; return memory_valid(f);
    case FIELD_TAG_SEED: job->tag_seed = f; return f.length == TAG_SEED_BYTES;
    case FIELD_PARK_PAGES: return take(f, &job->park_pages, 4) && job->park_pages <= MAX_PARK_PAGES;
    case FIELD_TOKEN: return take(f, job->token, TOKEN_BYTES);
    case FIELD_CLAIM_KEY: return take(f, job->claim_key, CLAIM_KEY_BYTES);
    case FIELD_PAST_CLAIMS: job->past_claims = f; return f.length % PAST_CLAIM_BYTES == 0;
    case FIELD_TLS_OUT: job->tls_out = f; return f.length <= MAX_TLS_BYTES;
    case FIELD_TLS_IN: job->tls_in = f; return f.length <= MAX_TLS_BYTES;
    case FIELD_PLAIN: job->plain = true; return f.length == 0;
    default: return false;
  }
}

bool parse_job(const uint8_t *data, uint32_t length, struct job *job) {
  memset(job, 0, sizeof *job);
  while (length) {
    if (length < 8) return false;
    uint16_t tag;
    struct bytes field;
    memcpy(&tag, data, 2);
    memcpy(&field.length, data + 4, 4);
    field.at = data + 8;
    if (field.length > length - 8 || !field_into(tag, field, job)) return false;
    data += 8 + field.length;
    length -= 8 + field.length;
  }
  return job->stall_ms && job->ready_ms && job->claim_ms && job->repeat_ms;
}
