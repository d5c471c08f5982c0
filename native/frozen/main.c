// frozen source|target|back|adopt AGENT_FD STREAM_FD — one job, one migration. After a helper that died on the way `back`
// does only what brings the devices of a source back, `adopt` what the OS needs at the target. Started by the agent, never
// by hand.
#include "frozen.h"
#include <errno.h>
#include <linux/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static uint8_t buffer[MAX_JOB_BYTES + 1];  // the NUL behind the last field ends every text in it

/// Both ways, by the kernel: its agent has seen to it before.
static bool encrypted(int stream) {
  const int ways[] = { TLS_TX, TLS_RX };
  struct tls_crypto_info info;
  for (unsigned i = 0; i < 2; i++) {
    socklen_t length = sizeof info;
    if (getsockopt(stream, SOL_TLS, ways[i], &info, &length) < 0) return false;
  }
  return true;
}

int main(int argc, char **argv) {
  static struct job job;
  uint8_t head[FRAME_HEADER_BYTES];
  struct frame frame;
  prctl(PR_SET_DUMPABLE, 0);               // keys and the OS's memory are in no core dump
  if (argc != 4) { fprintf(stderr, "frozen is started by yadod; see `yado migrate`\n"); return 2; }
  int agent = atoi(argv[2]), stream = atoi(argv[3]), size = 8 << 20;
  bool back = !strcmp(argv[1], "back"), adopt = !strcmp(argv[1], "adopt"), source = back || adopt || !strcmp(argv[1], "source");
  if (recv_all(agent, head, sizeof head, 10000) < 0 || !get_frame(head, &frame, MAX_JOB_BYTES) ||
      frame.type != (source ? FRAME_JOB_SOURCE : FRAME_JOB_TARGET) || recv_all(agent, buffer, frame.length, 10000) < 0 ||
      !parse_job(buffer, frame.length, &job)) {
    because(REASON_PROTOCOL, EBADMSG, -1, "the job is malformed");
    send_report(agent, OUTCOME_BAD_JOB);
    return 1;
  }
  plan_open();
  if (back || adopt) {
    if (back) plan_run_all(job.back, REASON_SERVE);
    else plan_run_all(job.adopt, REASON_ADOPT);
    send_report(agent, back ? OUTCOME_RETURNED : OUTCOME_ARRIVED);
    return 0;
  }
  if (source && !job.plain && !encrypted(stream)) {
    because(REASON_PROTOCOL, EPROTO, -1, "the stream is not encrypted");
    send_report(agent, OUTCOME_BAD_JOB);
    return 1;
  }
  setsockopt(stream, SOL_SOCKET, source ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, &size, sizeof size);
  if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0) {
    because(REASON_PROTOCOL, errno, -1, "mlockall");
    send_report(agent, OUTCOME_BAD_JOB);
    return 1;
  }
  int outcome = source ? run_source(&job, agent, stream) : run_target(&job, agent, stream);
  send_report(agent, (uint32_t)outcome);
  return 0;
}
