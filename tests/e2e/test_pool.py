"""The pool: what a killed worker costs, new settings under load, the end by
SIGTERM, and clients that keep their connections."""

import os
import random
import signal
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import Client
from load import Load, get_outcome
from process_limits import TRIES, in_time
from support import StackError, children_of, process_alive, signal_if_there, wait_for


pytestmark = pytest.mark.server(supervised=True)


def test_a_killed_worker_costs_at_most_its_own_request(make_stack):
    stack = make_stack()
    kills = 100
    with Load(stack, 8, get_outcome("/campaigns?limit=1")) as load:
        wait_for(lambda: load.answered() > 50, "the load")
        for number in range(kills):
            before = load.answered()
            victim = random.choice(stack.wait_workers())
            signal_if_there(victim, signal.SIGKILL)
            wait_for(lambda: not process_alive(victim), "the worker's end")
            # so that each kill meets requests, and the pool is whole before the next
            wait_for(lambda: load.answered() > before + 8, f"answers after kill {number}")
    failed = load.failed()
    assert sum(failed.values()) <= kills, failed
    # what nginx says of a worker that died in the middle of a request
    assert all(what.startswith("502") for what in failed), failed
    assert len(stack.wait_workers()) == 4


def test_a_killed_worker_is_replaced_within_a_second(make_stack):
    def attempt():
        # nothing was killed before in this pool: no back-off is due
        stack = make_stack()
        victim = stack.wait_workers()[0]
        start = time.monotonic()
        signal_if_there(victim, signal.SIGKILL)
        wait_for(lambda: victim not in stack.workers() and len(stack.workers()) == 4,
                 "the new worker")
        return time.monotonic() - start

    in_time(1.0, attempt)


def test_hup_replaces_all_workers_and_fails_no_request(make_stack):
    stack = make_stack()
    with Load(stack, 8, get_outcome("/campaigns?limit=1")) as load:
        wait_for(lambda: load.answered() > 50, "the load")
        for _ in range(10):
            old = set(stack.wait_workers())
            before = load.answered()
            stack.supervisor.send_signal(signal.SIGHUP)
            wait_for(lambda: not old & set(stack.workers()) and len(stack.workers()) == 4,
                     "four new workers")
            wait_for(lambda: load.answered() > before + 20, "answers after SIGHUP")
    assert load.failed() == {}
    assert load.answered() > 250


def waits_of(pid):
    """How often the process has gone to sleep."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status
                    if line.startswith("voluntary_ctxt_switches"))


def test_a_connection_wakes_one_worker(make_stack):
    stack = make_stack(settings={"WORKERS": "8"})
    workers = stack.wait_workers(8)
    client = Client(stack)
    assert client.get("/health").status_code == 200
    before = sum(map(waits_of, workers))
    requests = 100
    for _ in range(requests):
        assert client.get("/health").status_code == 200
    # were all of them woken, it would be eight a request
    woken = sum(map(waits_of, workers)) - before
    assert woken < 4 * requests, woken
    client.close()


def test_hup_takes_new_settings(make_stack):
    stack = make_stack()
    stack.wait_workers(4)
    stack.write_settings(WORKERS="2")
    stack.supervisor.send_signal(signal.SIGHUP)
    stack.wait_workers(2)
    stack.write_settings(WORKERS="3")
    stack.supervisor.send_signal(signal.SIGHUP)
    stack.wait_workers(3)
    assert stack.health().status_code == 200


def test_hup_with_a_bad_setting_keeps_the_old_ones(make_stack):
    stack = make_stack()
    stack.wait_workers(4)
    text = stack.env_file.read_text()
    stack.env_file.write_text(text + "WORKERS=many\n")
    stack.supervisor.send_signal(signal.SIGHUP)
    wait_for(lambda: "WORKERS" in stack.log_text(), "the complaint in the log")
    assert stack.supervisor.poll() is None
    assert len(stack.wait_workers(4)) == 4
    assert stack.health().status_code == 200
    stack.env_file.write_text(text)


@pytest.mark.parametrize("target", ["supervisor", "worker"])
def test_term_ends_the_idle_within_a_second(make_stack, target):
    stack = make_stack()

    def attempt():
        if stack.supervisor is None:
            stack.start_campaignd()
            stack.wait_ready()
        workers = stack.wait_workers()
        start = time.monotonic()
        if target == "supervisor":
            assert stack.stop_campaignd() == 0
            assert not any(process_alive(pid) for pid in workers)
            assert not stack.pid_file.exists()
        else:
            signal_if_there(workers[0], signal.SIGTERM)
            wait_for(lambda: not process_alive(workers[0]), "the worker's end")
        return time.monotonic() - start

    in_time(1.0, attempt)


def test_term_hits_workers_wherever_they_are(make_stack, full):
    """Also between looking for a signal and waiting for a connection."""
    stack = make_stack()
    rng = random.Random(20241201)
    with Load(stack, 4, get_outcome("/limits")) as load:
        wait_for(lambda: load.answered() > 20, "the load")
        for _ in range(200 if full else 50):
            victim = rng.choice(stack.wait_workers())
            wait_for(lambda until=time.monotonic() + rng.random() * 0.01:
                     time.monotonic() >= until, "a random moment")
            signal_if_there(victim, signal.SIGTERM)
            wait_for(lambda: not process_alive(victim), "the worker's end")
    assert load.failed() == {}


def test_term_lets_a_running_request_finish(make_stack):
    stack = make_stack()
    client = Client(stack, stack.token())
    state = b'{"artifacts":{"copy":"' + b"word " * 200000 + b'"}}'
    for _ in range(TRIES):
        campaign_id = client.create()
        with ThreadPoolExecutor(1) as pool:
            completion = pool.submit(client.complete, campaign_id, state)
            # the child that renders; it may be over before it is seen
            wait_for(lambda: any(map(children_of, stack.workers())) or completion.done(),
                     "a worker at work")
            running = not completion.done()
            if running:
                stack.supervisor.terminate()
        assert completion.result().status_code == 200, completion.result().text
        if running:
            break
    assert running, "no completion was met in its middle"
    assert stack.stop_campaignd() == 0
    client.close()


def test_64_kept_connections_over_4_workers(make_stack):
    stack = make_stack()
    assert len(stack.wait_workers()) == 4
    clients = [Client(stack, stack.token()) for _ in range(64)]
    try:
        for _ in range(3):
            for client in clients:
                # each keeps its connection open behind this request
                assert client.get("/campaigns?limit=1").status_code == 200
    finally:
        for client in clients:
            client.close()


def test_an_idle_front_end_connection_holds_a_worker_2_seconds_at_most(make_stack):
    stack = make_stack(settings={"WORKERS": "1"})
    client = Client(stack, stack.token())

    def attempt():
        with socket.socket(socket.AF_UNIX) as idle:
            idle.connect(str(stack.socket))
            start = time.monotonic()
            assert client.get("/limits").status_code == 200
            return time.monotonic() - start

    in_time(2.5, attempt)
    client.close()


def test_half_a_request_holds_no_worker_for_ever(make_stack):
    """A client that stops in the middle of its body waits in nginx, not in a worker."""
    stack = make_stack(settings={"WORKERS": "1"})
    client = Client(stack, stack.token())
    context = ssl.create_default_context(cafile=stack.ca)
    slow = []
    try:
        for _ in range(8):
            plain = socket.create_connection(("127.0.0.1", stack.port))
            connection = context.wrap_socket(plain, server_hostname="localhost")
            connection.sendall(
                f"POST /api/v1/campaigns HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Bearer {stack.token()}\r\nContent-Type: application/json\r\n"
                f"Content-Length: 1000\r\n\r\n{{".encode())
            slow.append(connection)
        for _ in range(20):
            assert client.get("/campaigns?limit=1").status_code == 200
    finally:
        for connection in slow:
            connection.close()
        client.close()


def test_a_client_that_leaves_stops_nobody(make_stack):
    stack = make_stack(settings={"WORKERS": "1", "CAMPAIGN_ACCEL_PREFIX": ""})
    client = Client(stack, stack.token())
    campaign_id = client.create()
    body = os.urandom(8 << 20)
    answer = client.put(f"/campaigns/{campaign_id}/files/big.bin", data=body,
                        headers={"Content-Type": "application/octet-stream"})
    assert answer.status_code in (200, 201), answer.text
    worker = stack.wait_workers()[0]
    for _ in range(20):
        with client.get(f"/campaigns/{campaign_id}/files/big.bin", stream=True) as answer:
            assert answer.status_code == 200
            answer.raw.read(1000)
    assert client.get(f"/campaigns/{campaign_id}/files/big.bin").content == body
    assert stack.wait_workers() == [worker]
    client.close()


def test_workers_are_recycled_after_their_requests(make_stack):
    stack = make_stack(settings={"WORKERS": "2", "WORKER_MAX_REQUESTS": "20"})
    first = set(stack.wait_workers())
    with Load(stack, 4, get_outcome("/limits")) as load:
        wait_for(lambda: load.answered() > 200 and not first & set(stack.workers()),
                 "new workers")
    assert load.failed() == {}


def open_files(pid):
    """What the process has open, by device and number; a descriptor may go meanwhile."""
    found = set()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            about = os.stat(entry.path)
        except FileNotFoundError:
            continue
        found.add((about.st_dev, about.st_ino))
    return found


def is_pending(pid, number):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return any(int(line.split()[1], 16) >> (number - 1) & 1 for line in status
                   if line.startswith(("SigPnd:", "ShdPnd:")))


def test_usr1_opens_the_log_anew_however_often_it_comes(make_stack):
    """Twice in a row, as of two that rotate logs: no process goes on in a file moved away."""
    stack = make_stack(settings={"WORKER_MAX_REQUESTS": "0"})
    own = stack.folder / "own.log"
    stack.stop_campaignd()
    stack.write_settings(LOG_FILE=str(own))
    stack.start_campaignd()
    stack.wait_ready()
    workers = stack.wait_workers()

    def all_write_to_it(pids):
        there = own.stat() if own.exists() else None
        return there and all((there.st_dev, there.st_ino) in open_files(pid) for pid in pids)

    def try_to_hold_all():
        """By connections that bring no request, which a worker waits for for 2 seconds: only
        then does it look at the log."""
        before = {pid: len(open_files(pid)) for pid in workers}
        held = [socket.socket(socket.AF_UNIX) for _ in workers]
        for connection in held:
            connection.connect(str(stack.socket))
        try:
            wait_for(lambda: all(len(open_files(pid)) > before[pid] for pid in workers),
                     "a connection at every worker", 1)
        except StackError:
            for connection in held:
                connection.close()
            return None
        return held

    client = Client(stack, stack.token())
    for number in range(3):
        wait_for(lambda: all_write_to_it([stack.supervisor.pid, *workers]), "the log's writers")
        own.rename(stack.folder / f"own.log.{number}")
        held = wait_for(try_to_hold_all, "a connection at every worker")
        for _ in range(2):
            for pid in workers:
                os.kill(pid, signal.SIGUSR1)
            # two that are pending together would be one
            wait_for(lambda: not any(is_pending(pid, signal.SIGUSR1) for pid in workers),
                     "the signal to be heard")
        for connection in held:
            connection.close()
        wait_for(lambda: all_write_to_it(workers), "the workers in the new file")
        os.kill(stack.supervisor.pid, signal.SIGUSR1)
        wait_for(lambda: all_write_to_it([stack.supervisor.pid]), "the supervisor in it")
        assert client.get("/limits").status_code == 200 and " request " in own.read_text()
    assert stack.wait_workers() == workers
    client.close()


def test_the_supervisor_opens_nothing_that_a_fork_would_share(make_stack):
    """No database, and no socket but the one it listens on."""
    stack = make_stack()
    client = Client(stack, stack.token())
    client.completed()
    targets = []
    for entry in os.scandir(f"/proc/{stack.supervisor.pid}/fd"):
        try:
            targets.append(os.readlink(entry.path))
        except FileNotFoundError:
            pass
    assert not [target for target in targets if str(stack.folder / "data") in target], targets
    assert len([target for target in targets if target.startswith("socket:")]) <= 1, targets
    client.close()


def test_parallel_requests_get_their_own_answers(make_stack, full):
    stack = make_stack(settings={"WORKERS": "8"})
    client = Client(stack, stack.token())
    campaign_id = client.create()
    files = {f"f{number}.txt": f"content of file {number}\n".encode() * 50 for number in range(16)}
    for name, content in files.items():
        answer = client.put(f"/campaigns/{campaign_id}/files/{name}", data=content,
                            headers={"Content-Type": "text/plain"})
        assert answer.status_code in (200, 201), answer.text

    def work(client, number):
        name = f"f{number}.txt"
        answer = client.get(f"/campaigns/{campaign_id}/files/{name}")
        return "ok" if answer.content == files[name] else f"{name}: {answer.text[:100]}"

    with Load(stack, 16, work) as load:
        wait_for(lambda: load.answered() + sum(load.failed().values()) >= (2000 if full else 500),
                 "the requests")
    assert load.failed() == {}
    client.close()
