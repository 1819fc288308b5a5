// The least a relay with a socket of its own for each stream can do. portfloor STREAMS FIRST OUT
//
// Stream n comes to port FIRST + 2n of 127.0.0.1 and leaves from the port after it for port OUT. No calls, no checks, no
// RTCP, one way: io_uring(7) fills buffers from all sockets and takes what leaves with the wait for the next.
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { BUFFERS = 256, SIZE = 2048, ROUND = 128, MOST = 4096 };
static const unsigned long SENT = 1ul << 62;

static void end(const char *what, int error) {
    fprintf(stderr, "portfloor: %s: %s\n", what, strerror(error < 0 ? -error : error));
    exit(1);
}

static int bound(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (socket_ < 0 || bind(socket_, (void *)&address, sizeof address)) {
        perror("portfloor: bind");
        exit(1);
    }
    return socket_;
}

static struct io_uring_sqe *entry_of(struct io_uring *ring) {
    struct io_uring_sqe *entry = io_uring_get_sqe(ring);
    if (entry) return entry;
    io_uring_submit(ring);
    if (!(entry = io_uring_get_sqe(ring))) end("entries", ENOBUFS);
    return entry;
}

// As a relay must: whoever sends is told with the packet.
static struct msghdr shape = {.msg_namelen = sizeof(struct sockaddr_in6)};
static int coming[MOST], leaving[MOST];

static void watch(struct io_uring *ring, int stream) {
    struct io_uring_sqe *entry = entry_of(ring);
    io_uring_prep_recvmsg_multishot(entry, coming[stream], &shape, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->user_data = stream;
}

int main(int count, char **words) {
    int streams = count == 4 ? atoi(words[1]) : 0, first = count == 4 ? atoi(words[2]) : 0, out = count == 4 ? atoi(words[3]) : 0;
    if (streams < 1 || streams > MOST || first < 1 || first + 2 * streams > 65536 || out < 1 || out > 65535) {
        fprintf(stderr, "portfloor STREAMS(1-%d) FIRST-PORT OUT-PORT\n", MOST);
        return 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons(out), .sin_addr = {htonl(INADDR_LOOPBACK)}};

    struct io_uring ring;
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
        .cq_entries = MOST};
    int error = io_uring_queue_init_params(512, &ring, &parameters);
    if (error) end("io_uring", error);
    char *memory = aligned_alloc(4096, BUFFERS * SIZE);
    struct io_uring_buf_ring *unused = aligned_alloc(4096, BUFFERS * sizeof(struct io_uring_buf));
    if (!memory || !unused) end("memory", ENOMEM);
    memset(unused, 0, BUFFERS * sizeof(struct io_uring_buf));
    struct io_uring_buf_reg registration = {.ring_addr = (unsigned long)unused, .ring_entries = BUFFERS};
    if ((error = io_uring_register_buf_ring(&ring, &registration, 0))) end("buffers", error);
    io_uring_buf_ring_init(unused);
    for (int i = 0; i < BUFFERS; i++) io_uring_buf_ring_add(unused, memory + i * SIZE, SIZE, i, BUFFERS - 1, i);
    io_uring_buf_ring_advance(unused, BUFFERS);

    const int head = sizeof(struct io_uring_recvmsg_out) + sizeof(struct sockaddr_in6);
    for (int n = 0; n < streams; n++) {
        coming[n] = bound(first + 2 * n);
        leaving[n] = bound(first + 2 * n + 1);
        watch(&ring, n);
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct io_uring_cqe *reports[ROUND];
        int used[ROUND], uses = 0;
        error = io_uring_submit_and_wait(&ring, 1);
        if (error < 0 && error != -EINTR) end("wait", error);
        int came = io_uring_peek_batch_cqe(&ring, reports, ROUND);
        for (int i = 0; i < came; i++) {
            struct io_uring_cqe *report = reports[i];
            if (report->user_data == SENT) continue;
            // Out of buffers. It may be again before those of this round are back, and then this comes again.
            if (!(report->flags & IORING_CQE_F_MORE)) watch(&ring, report->user_data);
            if (report->res < head || !(report->flags & IORING_CQE_F_BUFFER)) continue;
            int buffer = used[uses++] = report->flags >> IORING_CQE_BUFFER_SHIFT;
            struct io_uring_sqe *entry = entry_of(&ring);
            io_uring_prep_send(entry, leaving[report->user_data], memory + buffer * SIZE + head, report->res - head, MSG_DONTWAIT);
            io_uring_prep_send_set_addr(entry, (void *)&target, sizeof target);
            entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
            entry->user_data = SENT;
        }
        io_uring_cq_advance(&ring, came);
        if (!uses) continue;
        // What is sent is copied before this returns.
        io_uring_submit(&ring);
        for (int i = 0; i < uses; i++) io_uring_buf_ring_add(unused, memory + used[i] * SIZE, SIZE, used[i], BUFFERS - 1, i);
        io_uring_buf_ring_advance(unused, uses);
    }
}
