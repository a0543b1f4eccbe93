/* The practical limit of reading a capture: headers parsed down to the ports, and a table of flows.
 *
 * Usage:  limit CAPTURE
 * Output: packets, flows and bytes; what it costs is measured from outside.
 * How:    the file is mapped; Ethernet with VLAN tags, IPv4 and IPv6, TCP and UDP. A flow has its addresses,
 *         ports, protocol, first and last second, and by direction packets, bytes and TCP flags. The table
 *         is open-addressed and doubles when it is half full; its hash has no key. Nothing else of a sensor's
 *         work is done: no state machine, no time-outs, no checks.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_HEAD = 24, RECORD_HEAD = 16, ETHERNET = 14 };

/* Addresses are four words, IPv4 in the last. */
struct key {
    uint32_t low[4], high[4];
    uint16_t low_port, high_port;
    uint32_t proto;
};

struct flow {
    struct key key;
    uint32_t first, last;
    uint32_t packets[2];
    uint64_t bytes[2];
    uint8_t flags[2], used;
};

static struct flow *table;
static uint64_t slots = 1 << 16, flows;

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

static uint64_t hash_of(const struct key *key)
{
    uint64_t words[5], hash = 0;
    memcpy(words, key, sizeof words);
    for (int i = 0; i < 5; i++)
        hash = mix(hash, words[i]);
    return hash;
}

static struct flow *empty_table(uint64_t count)
{
    struct flow *made = mmap(NULL, count * sizeof *made, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) {
        perror("limit: memory");
        exit(1);
    }
    madvise(made, count * sizeof *made, MADV_HUGEPAGE);
    return made;
}

/* The key's flow, or the free place for it. */
static struct flow *place_of(const struct key *key)
{
    uint64_t at = hash_of(key) & (slots - 1);
    while (table[at].used && memcmp(&table[at].key, key, sizeof *key) != 0)
        at = (at + 1) & (slots - 1);
    return &table[at];
}

static void grow(void)
{
    struct flow *old = table;
    uint64_t count = slots;
    slots *= 2;
    table = empty_table(slots);
    for (uint64_t i = 0; i < count; i++)
        if (old[i].used)
            *place_of(&old[i].key) = old[i];
    munmap(old, count * sizeof *old);
}

static uint16_t be16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

/* Where the transport header begins; 0 if the frame is not IP. Addresses as the frame has them. */
static uint32_t network(const uint8_t *frame, uint32_t len, uint32_t src[4], uint32_t dst[4], uint32_t *proto)
{
    uint32_t at = ETHERNET;
    if (len < at)
        return 0;
    uint16_t type = be16(frame + 12);
    while ((type == 0x8100 || type == 0x88a8) && at + 4 <= len) {
        type = be16(frame + at + 2);
        at += 4;
    }
    if (type == 0x0800 && at + 20 <= len) {
        memcpy(&src[3], frame + at + 12, 4);
        memcpy(&dst[3], frame + at + 16, 4);
        *proto = frame[at + 9];
        return at + (frame[at] & 15u) * 4;
    }
    if (type == 0x86dd && at + 40 <= len) {
        memcpy(src, frame + at + 8, 16);
        memcpy(dst, frame + at + 24, 16);
        *proto = frame[at + 6];
        return at + 40;
    }
    return 0;
}

static void packet(const uint8_t *frame, uint32_t len, uint32_t wire_len, uint32_t second)
{
    uint32_t src[4] = {0}, dst[4] = {0}, proto;
    uint32_t at = network(frame, len, src, dst, &proto);
    if (at == 0)
        return;
    uint16_t src_port = 0, dst_port = 0;
    uint8_t flags = 0;
    if ((proto == 6 || proto == 17) && at + 4 <= len) {
        src_port = be16(frame + at);
        dst_port = be16(frame + at + 2);
        if (proto == 6 && at + 14 <= len)
            flags = frame[at + 13];
    }
    int order = memcmp(src, dst, sizeof src);
    int back = order > 0 || (order == 0 && src_port > dst_port);
    struct key key = {.proto = proto,
                      .low_port = back ? dst_port : src_port,
                      .high_port = back ? src_port : dst_port};
    memcpy(key.low, back ? dst : src, sizeof key.low);
    memcpy(key.high, back ? src : dst, sizeof key.high);
    struct flow *flow = place_of(&key);
    if (!flow->used) {
        flow->key = key;
        flow->first = second;
        flow->used = 1;
        flows++;
    }
    flow->last = second;
    flow->packets[back]++;
    flow->bytes[back] += wire_len;
    flow->flags[back] |= flags;
    if (flows * 2 > slots)
        grow();
}

int main(int count, char **arguments)
{
    struct stat about;
    int file = count == 2 ? open(arguments[1], O_RDONLY) : -1;
    if (file < 0 || fstat(file, &about) != 0 || about.st_size < FILE_HEAD) {
        fprintf(stderr, "usage: limit CAPTURE\n");
        return 1;
    }
    uint64_t size = (uint64_t)about.st_size, at = FILE_HEAD, packets = 0, bytes = 0;
    const uint8_t *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (data == MAP_FAILED) {
        perror(arguments[1]);
        return 1;
    }
    table = empty_table(slots);
    while (at + RECORD_HEAD <= size) {
        uint32_t record[4];
        memcpy(record, data + at, sizeof record);
        at += RECORD_HEAD;
        if (record[2] > size - at)
            break;
        packet(data + at, record[2], record[3], record[0]);
        at += record[2];
        packets++;
        bytes += record[3];
    }
    printf("packets %lu flows %lu bytes %lu\n", packets, flows, bytes);
    return 0;
}
