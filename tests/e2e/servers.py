"""The web servers that an instance can have, by the name that --server takes."""

import os
import shutil
import subprocess

from support import StackError, TOP, end_with_parent


class Nginx:
    """The shipped site file on a private nginx in front of a campaignd pool."""

    name = "nginx"

    def __init__(self, stack):
        self.stack = stack
        self.process = None

    def write(self):
        stack = self.stack
        command = [
            TOP / "nginx/private", "--dir", stack.folder / "nginx", "--port", str(stack.port),
            "--socket", stack.socket, "--objects", stack.folder / "data/objects",
            "--certificate", stack.tls / "server.pem", "--key", stack.tls / "server.key",
        ]
        if stack.rate:
            command += ["--rate", str(stack.rate)]
        subprocess.run(command, check=True)

    def start(self):
        self.write()
        folder = self.stack.folder / "nginx"
        nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if nginx is None:
            raise StackError("nginx is not installed")
        self.process = subprocess.Popen(
            [nginx, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log",
             "-g", "daemon off;"],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=end_with_parent)

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


SERVERS = {server.name: server for server in (Nginx,)}
