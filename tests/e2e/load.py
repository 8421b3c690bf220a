"""Concurrent clients that keep asking until they are told to stop, and that
remember every answer."""

import threading
from collections import Counter

import requests

from client import Client


class Load:
    """`with Load(stack, 8, work) as load: ...` runs work(client, number) in 8
    threads, again and again. work returns what to count: "ok", or what went wrong."""

    def __init__(self, stack, threads, work, user="alice"):
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.outcomes = Counter()
        self.threads = [
            threading.Thread(target=self.run, args=(stack, user, work, number), daemon=True)
            for number in range(threads)
        ]

    def run(self, stack, user, work, number):
        client = Client(stack, stack.token(user))
        while not self.stop.is_set():
            try:
                outcome = work(client, number)
            except requests.RequestException as failure:
                outcome = f"no answer: {type(failure).__name__}"
            except Exception as failure:  # pylint: disable=broad-except
                # a thread that died would fail nothing
                outcome = f"{type(failure).__name__}: {failure}"
            with self.lock:
                self.outcomes[outcome] += 1
        client.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *failure):
        self.stop.set()
        for thread in self.threads:
            thread.join(300)
        if failure[0] is None:
            assert not any(thread.is_alive() for thread in self.threads), "a request hangs"

    def answered(self):
        with self.lock:
            return self.outcomes["ok"]

    def failed(self):
        with self.lock:
            return {what: count for what, count in self.outcomes.items() if what != "ok"}


def get_outcome(path):
    """Work that asks for one path, and takes nothing but 200."""

    def work(client, _number):
        answer = client.get(path)
        return "ok" if answer.status_code == 200 else f"{answer.status_code} {answer.text[:200]}"

    return work
