"""The provider's line: carries frames between two interfaces with a delay and a rate.

The delay depends on the server's address, so near and far servers exist. One pair of hosts
always has one delay; therefore nothing is reordered.
"""
import heapq
import select
import socket
import sys
import time

RATE_UP = 20e6 / 8    # bytes a second, from the office
RATE_DOWN = 100e6 / 8
ETH_P_ALL = 0x0003
SO_RCVBUFFORCE = 33
PACKET_OUTGOING = 4


def open_port(name):
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    port.bind((name, 0))
    port.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    port.setblocking(False)
    return port


def one_way(frame, from_office):
    """Half the round trip to the server of this frame: 3 to 15 ms."""
    if frame[12:14] != b"\x08\x00":
        return 0.0
    server = frame[30:34] if from_office else frame[26:30]
    return 0.003 + (server[2] * 7 + server[3] * 13) % 49 * 0.00025


def take_all(port, rate, free_at, queue, other, from_office):
    """Queues what has arrived; returns when the line is free again."""
    while True:
        try:
            frame, where = port.recvfrom(65536)
        except BlockingIOError:
            return free_at
        if where[2] == PACKET_OUTGOING:
            continue
        now = time.monotonic()
        free_at = max(free_at, now) + len(frame) / rate
        leave = free_at + one_way(frame, from_office)
        heapq.heappush(queue, (leave, next(COUNTER), other, frame))


COUNTER = iter(range(1 << 62))


def main():
    office, net = open_port(sys.argv[1]), open_port(sys.argv[2])
    queue, free_up, free_down = [], 0.0, 0.0
    while True:
        wait = max(0.0, queue[0][0] - time.monotonic()) if queue else None
        select.select([office, net], [], [], wait)
        free_up = take_all(office, RATE_UP, free_up, queue, net, True)
        free_down = take_all(net, RATE_DOWN, free_down, queue, office, False)
        while queue and queue[0][0] <= time.monotonic():
            _, _, port, frame = heapq.heappop(queue)
            port.send(frame)


main()
