"""`docker-compose.yml` and the system calls it allows: safe by default. Needs no engine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
RUNNING = sorted(name for name, service in SERVICES.items() if service.get("scale") != 0)


def test_the_services_are_the_documented_ones():
    assert RUNNING == ["bootstrap", "localstack", "tests"]


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_has_no_privileges(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["read_only"] is True
    assert service["init"] is True
    assert service["mem_limit"]
    assert service["pids_limit"]
    for granted in ("privileged", "cap_add", "devices", "pid", "ipc", "userns_mode"):
        assert granted not in service


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_mounts_nothing_but_this_folder_and_writes_reports_and_outputs_alone(name):
    for volume in SERVICES[name].get("volumes", []):
        source, _, mode = re.fullmatch(r"(\./[a-z.-]+):(/app/[a-z.-]+)(:ro)?", volume).groups()
        assert "docker.sock" not in volume
        assert mode == ":ro" or source in ("./reports", "./.trigger-stack"), volume


def test_another_project_can_be_read_and_nothing_of_it_written():
    added = yaml.safe_load((ROOT / "emulator/container/project.yml").read_text())["services"]
    assert set(added) == {"localstack", "bootstrap"}
    for service in added.values():
        for volume in service["volumes"]:
            assert volume.endswith(":/project:ro") or volume.startswith("./.build/"), volume


def test_ports_are_published_on_loopback_only():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 5
    assert all(port.startswith("127.0.0.1:") for port in ports), ports


def test_the_image_runs_as_an_ordinary_user():
    dockerfile = (ROOT / "emulator/Dockerfile").read_text()
    for stage in ("localstack", "tests"):
        body = dockerfile.split(f" AS {stage}\n", 1)[1].split("\nFROM ", 1)[0]
        assert re.findall(r"^USER (\w+)", body, re.MULTILINE)[-1] == "stack"


def test_every_package_is_installed_by_hash():
    dockerfile = (ROOT / "emulator/Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install .*", dockerfile)
    assert len(installs) >= 4
    for install in installs:
        # The two packages of this repository come from their folders.
        assert "--require-hashes" in install or " -e emulator/plugin" in install, install
    assert not re.search(r"^(ADD|RUN .*(curl|wget) )", dockerfile, re.MULTILINE)


def test_the_system_calls_of_administration_are_refused():
    profile = json.loads((ROOT / "emulator/container/seccomp.json").read_text())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed = {name for rule in profile["syscalls"] for name in rule["names"]}
    assert not allowed & {
        *("add_key", "bpf", "clock_settime", "delete_module", "finit_module", "init_module"),
        *("io_uring_setup", "kexec_load", "keyctl", "move_mount", "open_by_handle_at"),
        *("perf_event_open", "pivot_root", "process_vm_readv", "ptrace", "reboot", "setns"),
        *("settimeofday", "swapon", "syslog", "userfaultfd"),
    }
    assert {"mount", "umount2", "unshare"} <= allowed
