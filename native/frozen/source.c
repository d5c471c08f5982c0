// A's side of the frozen phase. The order of things is source_table; this file only carries out its effects.
#include "frozen.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
enum { WAIT = -1 };                        // an effect that has no outcome yet: listen for events

static struct mailbox mailbox __attribute__((aligned(PAGE)));

static const struct job *job;
static int agent, stream, claims = -1, snapshot = -1, ghost = -1;
static pid_t ghost_pid;
static bool frozen, granted, told_ghost;
static enum { MARK_NONE, MARK_ASKED, MARK_DONE } mark; // on the disk that stays here: that the OS is leaving
static uint64_t held_since;                // a claim waits for it, 0: none does
static uint64_t go_at;
static struct sockaddr_in claimant, held_claimant;
static uint8_t claim_datagram[CLAIM_BYTES], held_claim[CLAIM_BYTES];

static uint64_t timed(int step, uint64_t since) {
  uint64_t t = now_us();
  report.times_us[step] += t - since;
  return t;
}

static char *argv_of(struct bytes text, char **argv, int most) {
  char *at = (char *)text.at, *end = at + text.length;
  int n = 0;
  for (; at < end && n < most - 1; at += strlen(at) + 1) argv[n++] = at;
  argv[n] = NULL;
  return argv[0];
}

/// True when a fault point wants the step to fail; `reason` is then the one of the report.
static bool fails(int point, uint32_t reason) {
  if (fault_at(job, point) == 0) return false;
  because(reason, errno, 0, NULL);
  return true;
}

/// The ghost is started after the image is made: it is not part of the OS that moves.
static bool start_ghost(void) {
  static char *argv[64];
  static char helper_fd[] = "YADO_HELPER_FD=3";
  int pair[2];
  if (!job->ghost_argv.length || !argv_of(job->ghost_argv, argv, 64)) return true;
  if (fault_at(job, FAULT_SOURCE_GHOST) < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) { because(REASON_GHOST, errno, -1, NULL); return false; }
  ghost_pid = fork();
  if (ghost_pid == 0) {
    static char *environment[64];
    int n = 0;
    for (char **e = environ; *e && n < 62; e++) if (strncmp(*e, "NOTIFY_SOCKET=", 14)) environment[n++] = *e;
    environment[n++] = helper_fd;
    setsid();
    setpriority(PRIO_PROCESS, 0, 10); // the stream goes first
    int log = open("/run/yado/ghost.log", O_WRONLY | O_CREAT | O_TRUNC, 0600); // the journal is frozen
    if (log >= 0) { dup2(log, 1); dup2(log, 2); }
    dup2(pair[1], 3);
    dup2(snapshot, 4); // the last one to close it thaws the OS: our death alone must not
    for (int fd = 5; fd < 64; fd++) close(fd);
    execve(argv[0], argv, environment);
    _exit(127);
  }
  close(pair[1]);
  ghost = pair[0];
  if (ghost_pid < 0) { because(REASON_GHOST, errno, -1, NULL); close(ghost); ghost = -1; }
  return ghost_pid > 0;
}

/// Ends the ghost and whatever it started. They carry the exemption from freezing and must be gone before the thaw.
static void end_ghost(void) {
  if (ghost_pid > 0) {
    kill(-ghost_pid, SIGKILL);
    kill(ghost_pid, SIGKILL); // one that has not come as far as setsid() has no group yet
  }
  pid_t whom = granted ? -ghost_pid : -1;            // behind the grant nobody thaws, and the guard stays
  for (int i = 0; i < 2000 && whom && waitpid(whom, NULL, WNOHANG) >= 0; i++) poll(NULL, 0, 2);
  ghost_pid = 0;
  if (ghost >= 0) close(ghost);
  ghost = -1;
}

/// Should we die after the grant, the ghost keeps this copy from running again, and answers in our place.
static void tell_ghost(void) {
  if (ghost >= 0 && !told_ghost) told_ghost = send_frame(ghost, FRAME_GRANTED, job->epoch, job->claim_key, CLAIM_KEY_BYTES, 100) == 0;
}

/// Before the grant the ghost writes on the disk that the OS is leaving: a cold start of this computer must not run it.
static int ask_for_mark(void) {
  if (fails(FAULT_SOURCE_MARK, REASON_MARK)) return SOURCE_ON_FAILED;
  if (ghost < 0) return WAIT;
  mark = MARK_ASKED;
  if (fault_times(job, FAULT_SOURCE_MARK) > 0) send_frame(ghost, FRAME_MARK, job->epoch, job->claim_key, CLAIM_KEY_BYTES, 100);
  return WAIT;
}

/// A claim that could be granted. Until the mark is there it waits; a later one is as good.
static int claimed(void) {
  if (mark != MARK_ASKED) return SOURCE_ON_CLAIM;
  if (!held_since) held_since = now_us();
  memcpy(held_claim, claim_datagram, sizeof held_claim);
  held_claimant = claimant;
  return WAIT;
}

static int marked(void) {
  if (mark != MARK_ASKED) return WAIT;
  mark = MARK_DONE;
  if (!held_since) return WAIT;
  timed(STEP_MARK, held_since);
  memcpy(claim_datagram, held_claim, sizeof claim_datagram);
  claimant = held_claimant;
  return SOURCE_ON_CLAIM;
}

/// Without a ghost nobody serves what stays behind: before the grant the OS rather stays, after it there is another one.
static int lose_ghost(void) {
  end_ghost(); // its servers too: they hold the port of the next
  if (!granted) { because(REASON_GHOST, EPIPE, -1, "the ghost ended"); return SOURCE_ON_FAILED; }
  poll(NULL, 0, 500); // one that cannot live is not started in a storm
  told_ghost = false;
  if (start_ghost()) tell_ghost();
  return WAIT;
}

static int make_image(void) {
  int in_suspend = -1;
  uint64_t size = 0;
  clock_before_image();
  int result = fault_at(job, FAULT_SOURCE_IMAGE), error;
  if (result == 0) result = ioctl(snapshot, SNAPSHOT_CREATE_IMAGE, &in_suspend);
  error = errno;
  // From here on there are two of us. Only the page that B's helper has overwritten tells which one this is.
  if (*(volatile uint32_t *)&mailbox.on_target) {
    int on = 1; // this end of the stream is A's: in repair mode it is closed without a word
    setsockopt(stream, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on);
    close(stream);
    close(claims);
    run_copy(job, agent, snapshot);
  }
  report.times_us[STEP_IMAGE] += clock_after_image();
  if (result < 0) { because(REASON_IMAGE, error, -1, NULL); return SOURCE_ON_FAILED; }
  if (ioctl(snapshot, SNAPSHOT_GET_IMAGE_SIZE, &size) < 0 || size <= 2 * PAGE) {
    because(REASON_IMAGE, EAGAIN, -1, "the kernel gave up before the image was made (a wake-up event?)");
    return SOURCE_ON_FAILED;
  }
  report.pages = size / PAGE;
  return SOURCE_ON_OK;
}

/// Index of the first data page in the stream, from the header of the image.
static uint64_t image_data_begins(const uint8_t *header) {
  uint64_t image_pages, pages;
  memcpy(&image_pages, header + IMAGE_AT_IMAGE_PAGES, 8);
  memcpy(&pages, header + IMAGE_AT_PAGES, 8);
  return pages - image_pages;
}

static int target_says(void) {
  uint8_t head[FRAME_HEADER_BYTES], text[MAX_TEXT_BYTES] = { 0 };
  struct frame frame;
  if (recv_all(stream, head, sizeof head, job->stall_ms) < 0) {
    because(errno == ETIMEDOUT ? REASON_LINK_LOST : reason_of_silence(errno), errno, -1, NULL);
    return SOURCE_ON_LINK_LOST;
  }
  if (!get_frame(head, &frame, MAX_TEXT_BYTES - 1) || (frame.length && recv_all(stream, text, frame.length, job->stall_ms) < 0)) {
    because(REASON_PROTOCOL, EBADMSG, -1, NULL);
    return SOURCE_ON_FAILED;
  }
  switch (frame.type) {
    case FRAME_READY: report.times_us[STEP_WRITE] = frame.arg; return SOURCE_ON_READY;
    case FRAME_HAD:
      if (pre_copy_had(&frame, text)) return WAIT;
      because(REASON_PROTOCOL, EBADMSG, -1, "the target has pages it was not asked for");
      return SOURCE_ON_FAILED;
    case FRAME_CANCEL: because(REASON_CANCELLED, 0, -1, NULL); return SOURCE_ON_CANCEL;
    case FRAME_FAILED:
      because(frame.arg > REASON_NONE && frame.arg <= REASON_TAMPERED ? (uint32_t)frame.arg : REASON_REFUSED_BY_TARGET, 0, -1, (char *)text);
      return SOURCE_ON_REFUSED;
    default: because(REASON_PROTOCOL, EBADMSG, -1, NULL); return SOURCE_ON_FAILED;
  }
}

static int ghost_says(void) {
  uint8_t head[FRAME_HEADER_BYTES], text[MAX_TEXT_BYTES] = { 0 };
  struct frame frame;
  if (recv(ghost, head, sizeof head, MSG_DONTWAIT) != sizeof head || !get_frame(head, &frame, MAX_TEXT_BYTES - 1)) return lose_ghost();
  if (frame.length && recv_all(ghost, text, frame.length, 1000) < 0) return lose_ghost();
  if (frame.type == FRAME_MARKED) return marked();
  if (frame.type == FRAME_UNMARKED) { because(REASON_MARK, 0, -1, (char *)text); return SOURCE_ON_FAILED; }
  if (frame.type == FRAME_CANCEL) { because(REASON_CANCELLED, 0, -1, NULL); return SOURCE_ON_CANCEL; }
  if (frame.type == FRAME_RELEASE && (go_at || granted)) ioctl(snapshot, SNAPSHOT_FREE, 0); // B has all of it; a roll back frees it, too
  return WAIT;
}

/// Listens for at most `wait_ms` (-1: for ever); answers with an event, WAIT when nothing of note came.
static int listen_for(bool with_stream, int wait_ms) {
  static bool was_stale;                   // then the target comes first: claims without end must not drown it
  struct pollfd p[3] = { { .fd = with_stream ? stream : -1, .events = POLLIN }, { .fd = ghost, .events = POLLIN }, { .fd = claims, .events = POLLIN } };
  if (poll(p, 3, wait_ms) <= 0) return WAIT;
  if (p[1].revents) { int event = ghost_says(); if (event != WAIT) return event; } // before a claim could be granted
  bool target_first = was_stale && p[0].revents;
  was_stale = false;
  if (!target_first && p[2].revents && claim_receive(claims, claim_datagram, &claimant) && claim_kind(claim_datagram) == CLAIM_KIND_CLAIM) {
    enum whose whose = claim_whose(job, claim_datagram); // a forged one is as good as none
    if (whose == CLAIM_OF_PAST) { was_stale = true; return SOURCE_ON_STALE_CLAIM; }
    if (whose == CLAIM_OF_THIS) return fault_times(job, FAULT_SOURCE_CLAIM) > 0 ? claimed() : WAIT;
  }
  return p[0].revents ? target_says() : WAIT;
}

static void answer(uint16_t kind) {
  int times = kind == CLAIM_KIND_GRANT ? fault_times(job, FAULT_SOURCE_GRANT) : 1;
  for (; times > 0; times--) claim_answer(job, claims, claim_datagram, kind, report.times_us, &claimant);
}

int source_hears(void) { return listen_for(true, 0); }

int source_cannot_send(void) {
  int error = errno, said = listen_for(true, 0); // B may have said why before it hung up
  if (said != WAIT) return said;
  because(error == ETIMEDOUT ? REASON_STALLED : REASON_LINK_LOST, error, -1, NULL);
  return error == ETIMEDOUT ? SOURCE_ON_TIMEOUT : SOURCE_ON_LINK_LOST;
}

static int send_image(void) {
  uint64_t index = 0, told = now_us(), data_begins = UINT64_MAX; // header and lists come first, and always as they are
  for (;;) {
    static uint32_t slots[PAGES_PER_FRAME];
    uint8_t prologue[PAGES_PROLOGUE_BYTES] = { 0 }, *carries = prologue + 8, *refers = carries + PAGES_PER_FRAME / 8;
    uint32_t count = 0, carried = 0, referred = 0;
    if (index && fails(FAULT_SOURCE_PAGES, REASON_IMAGE)) return SOURCE_ON_FAILED;
    for (; count < PAGES_PER_FRAME; count++) {
      uint8_t *page = out_pages + (size_t)carried * PAGE;
      ssize_t n = read(snapshot, page, PAGE);
      if (n == 0) break;
      if (n != PAGE) { because(REASON_IMAGE, n < 0 ? errno : EIO, -1, NULL); return SOURCE_ON_FAILED; }
      if (index + count == 0) data_begins = image_data_begins(page);
      else if (index + count < data_begins) lists_give_up(job, page);
      if (page_is_zero(page)) { report.zero_pages++; continue; }
      bool plain = index + count < data_begins || !memcmp(page, mailbox.signature, TOKEN_BYTES);
      int where = plain ? PAGE_NEW : page_at_target(page, &slots[referred]);
      if (where == PAGE_OURS) continue;
      uint8_t *bitmap = where == PAGE_PARKED ? refers : carries;
      bitmap[count / 8] |= (uint8_t)(1u << (count % 8));
      if (where == PAGE_PARKED) referred++;
      else carried++;
    }
    if (!count) break;
    memcpy(prologue, &count, 4);
    ssize_t sent = send_pages(stream, FRAME_PAGES, index, (struct bytes){ prologue, sizeof prologue }, slots, referred, carried, job->stall_ms);
    if (sent < 0) return source_cannot_send();
    index += count;
    report.wire_bytes += (uint64_t)sent;
    report.referenced_pages += referred;
    int said = listen_for(true, 0);
    if (said == SOURCE_ON_STALE_CLAIM) answer(CLAIM_KIND_REFUSE);
    else if (said != WAIT) return said;
    if (ghost >= 0 && now_us() - told > 250000) {
      uint64_t progress[3] = { index, report.pages, report.referenced_pages };
      told = now_us();
      send_frame(ghost, FRAME_PROGRESS, report.wire_bytes, progress, sizeof progress, 0);
    }
  }
  if (index != report.pages) { because(REASON_IMAGE, EIO, -1, "the image ended early"); return SOURCE_ON_FAILED; }
  for (int times = fault_times(job, FAULT_SOURCE_END); times > 0; times--)
    if (send_frame(stream, FRAME_END, index, NULL, 0, job->stall_ms) < 0) { because(REASON_LINK_LOST, errno, -1, NULL); return SOURCE_ON_LINK_LOST; }
  return SOURCE_ON_OK;
}

static int send_go(void) {
  for (int times = fault_times(job, FAULT_SOURCE_GO); times > 0; times--)
    if (send_frame(stream, FRAME_GO, job->epoch, NULL, 0, job->stall_ms) < 0) { because(REASON_LINK_LOST, errno, -1, NULL); return SOURCE_ON_FAILED; }
  go_at = now_us();
  return ask_for_mark();                   // while B restores
}

static int grant(void) {
  if (!report.times_us[STEP_RESTORE]) report.times_us[STEP_RESTORE] = now_us() - go_at;
  granted = true;
  guard_open(snapshot, NULL);
  tell_ghost();
  if (told_ghost || ghost < 0) answer(CLAIM_KIND_GRANT); // else the copy asks again
  return WAIT;
}

/// Claims that have come meanwhile; not more of them than that, somebody might send them without end.
static void refuse_waiting(void) {
  for (int left = 64, said; left > 0 && ((said = listen_for(false, 0)) == SOURCE_ON_CLAIM || said == SOURCE_ON_STALE_CLAIM); left--)
    answer(CLAIM_KIND_REFUSE);
}

static int roll_back(void) {
  uint64_t began = now_us();
  because(REASON_PROTOCOL, EBADMSG, -1, "the target was ahead of the source"); // READY or a claim, when no failure was named
  if (go_at) timed(STEP_RESTORE, go_at);            // so long A waited for a claim
  if (stream >= 0) {
    if (fault_times(job, FAULT_SOURCE_ABORT) > 0) send_frame(stream, FRAME_ABORT, 0, NULL, 0, 100);
    shutdown(stream, SHUT_RDWR);
  }
  end_ghost();
  if (frozen) {
    ioctl(snapshot, SNAPSHOT_FREE, 0); // kernel threads first: the devices may need them to come back
    fails(FAULT_SOURCE_BACK, REASON_ARRIVE);
    plan_run_all(job->back, REASON_ARRIVE);
    refuse_waiting();
    fault_at(job, FAULT_SOURCE_THAW);
    ioctl(snapshot, SNAPSHOT_UNFREEZE, 0);
    timed(STEP_RETURN, began);
  }
  if (snapshot >= 0) close(snapshot);
  return SOURCE_ON_OK;
}

static int freeze(void) {
  // Not before: whatever was copied ahead must not hold the signature, which is in the image exactly once.
  mailbox_signature(job->token, mailbox.signature);
  if ((claims = claim_listen(job->claim_address, job->claim_port)) < 0) { because(REASON_PROTOCOL, errno, -1, "the claim port is taken"); return SOURCE_ON_FAILED; }
  snapshot = open("/dev/snapshot", O_RDONLY | O_CLOEXEC);
  if (snapshot < 0) { because(REASON_OPEN_SNAPSHOT, errno, -1, NULL); return SOURCE_ON_FAILED; }
  clock_begin();
  uint64_t began = now_us();
  frozen = fault_at(job, FAULT_SOURCE_FREEZE) == 0 && ioctl(snapshot, SNAPSHOT_FREEZE, 0) == 0;
  if (!frozen) because(REASON_FREEZE, errno, -1, NULL);
  timed(STEP_FREEZE, began);
  return frozen ? SOURCE_ON_OK : SOURCE_ON_FAILED;
}

static int perform(unsigned effects) {
  int event = WAIT;
  uint64_t began = now_us();
  if (effects & SOURCE_DO_REFUSE) answer(CLAIM_KIND_REFUSE);
  if (effects & SOURCE_DO_FREEZE) event = freeze();
  if (effects & SOURCE_DO_LEAVE) {
    event = fails(FAULT_SOURCE_LEAVE, REASON_LEAVE) || plan_run(job->leave, REASON_LEAVE) < 0 ? SOURCE_ON_FAILED : SOURCE_ON_OK;
    timed(STEP_LEAVE, began);
  }
  if (effects & SOURCE_DO_MAKE_IMAGE) {
    event = make_image();
    timed(STEP_IMAGE, began);
  }
  if (effects & SOURCE_DO_SERVE) {
    event = fails(FAULT_SOURCE_SERVE, REASON_SERVE) || plan_run(job->serve, REASON_SERVE) < 0 || !start_ghost() ? SOURCE_ON_FAILED : SOURCE_ON_OK;
    timed(STEP_SERVE, began);
  }
  if (effects & SOURCE_DO_SEND_IMAGE) {
    event = send_image();
    timed(STEP_SEND, began);
  }
  if (effects & SOURCE_DO_SEND_GO) event = send_go();
  if (effects & SOURCE_DO_GRANT) event = grant();
  if (effects & SOURCE_DO_ROLL_BACK) event = roll_back();
  return event;
}

/// Waits in a state whose effect has no outcome of its own, up to the time the state may last. GRANTED lasts for ever.
static int await(int state, uint64_t entered) {
  bool ready = state == SOURCE_AWAITING_READY;
  uint64_t limit = ready ? job->ready_ms : job->claim_ms, waited = (now_us() - entered) / 1000u;
  if (state == SOURCE_GRANTED) return listen_for(false, -1);
  if (waited >= limit) {
    if (held_since) because(REASON_MARK, ETIMEDOUT, -1, "the ghost did not say that it is written");
    because(ready ? REASON_READY_TIMEOUT : REASON_CLAIM_TIMEOUT, ETIMEDOUT, -1, NULL); // the first reason counts
    return SOURCE_ON_TIMEOUT;
  }
  // After GO the stream is dead by design; B says FAILED on it only when its kernel refused the image.
  int event = listen_for(stream >= 0, (int)(limit - waited));
  if (event != SOURCE_ON_LINK_LOST || ready) return event;
  close(stream);
  stream = -1;
  report.reason = REASON_NONE;
  return WAIT;
}

const uint8_t *mailbox_entropy(void) { return mailbox.entropy; }

int run_source(const struct job *the_job, int agent_fd, int stream_fd) {
  int state = SOURCE_PRE_COPYING, event;
  job = the_job; agent = agent_fd; stream = stream_fd;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  // First of all: B hangs up on whoever connects and stays silent.
  if (fault_times(job, FAULT_SOURCE_BEGIN) > 0 && send_frame(stream, FRAME_BEGIN, job->epoch, job->token, TOKEN_BYTES, job->stall_ms) < 0) {
    because(REASON_LINK_LOST, errno, -1, NULL);
    return OUTCOME_RETURNED;
  }
  event = pre_copy(job, agent, stream);
  uint64_t entered = now_us();
  for (;;) {
    const struct transition *row = &source_table[state][event];
    if (!row->next) { because(REASON_PROTOCOL, 0, -1, "no such transition"); row = &source_table[state][SOURCE_ON_FAILED]; }
    if (state == SOURCE_AWAITING_READY) timed(STEP_READY, entered);
    if (row->next != state) entered = now_us();
    state = row->next;
    if (state == SOURCE_RETURNED) return OUTCOME_RETURNED;
    event = perform(row->effects);
    while (event == WAIT) event = await(state, entered);
  }
}
