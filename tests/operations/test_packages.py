"""What is deployed: units, images, manifests and the chart, as far as they can be held against something real here."""

import functools
import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import helm_python
import kubernetes_validate
import pytest
import yaml
from running import DEPLOY, ROOT, RULES, TAMIS, tool

KUBERNETES = DEPLOY / "kubernetes"
CHART = DEPLOY / "helm" / "tamis"
# The oldest that the chart takes, one between, and the newest that there are schemas of.
VERSIONS = ("1.29", "1.33", kubernetes_validate.latest_version())
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
EXPOSURE_MAX = 1.5


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check_configuration(directory, text):
    """What `tamis check` says of a configuration that a package brings."""
    file = directory / "tamis.toml"
    file.write_text(text)
    assert run(TAMIS, "check", "-c", file).endswith("ok\n")
    return tomllib.loads(text)


# ---- systemd


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_closed(unit):
    told = run("systemd-analyze", "security", "--offline=true", unit)
    exposure = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", told).group(1))
    assert exposure <= EXPOSURE_MAX, told


def test_the_units_are_well_formed(tmp_path):
    """As installed: with a binary where they say that it is."""
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text().replace("/usr/local/bin/tamis", str(TAMIS))
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        timeout=60,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )
    said = [line for line in done.stderr.splitlines() if "tamis" in line]
    assert said == [], done.stderr


def test_a_socket_that_systemd_opened_is_taken(tmp_path):
    """As with tamis.socket: the port is open before the process is, and is no port of the configuration."""
    from running import fetch, free_port, eventually

    port, unused, admin = free_port(), free_port(), free_port()
    config = tmp_path / "tamis.toml"
    config.write_text(
        f'version = 1\n[listen]\ningest = "127.0.0.1:{unused}"\nadmin = "127.0.0.1:{admin}"\n'
        '[[routes]]\nname = "events"\nprotocol = "generic"\nupstream = "inbox"\n'
    )
    activate = shutil.which("systemd-socket-activate")
    assert activate, "needs systemd-socket-activate, which comes with systemd-analyze"
    process = subprocess.Popen(
        [activate, f"--listen=127.0.0.1:{port}", str(TAMIS), "serve", "-c", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:

        def taken():
            # The first request is what starts it.
            try:
                return fetch(f"http://127.0.0.1:{port}/a", b"{}", {"Content-Type": "application/json"})[0] == 200
            except OSError:
                return False

        eventually("taken", taken)
        with pytest.raises(OSError):
            fetch(f"http://127.0.0.1:{unused}/a", b"{}")
        assert fetch(f"http://127.0.0.1:{admin}/ready")[0] == 200
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0


def test_the_configuration_of_the_image_and_the_unit_is_good(tmp_path):
    check_configuration(tmp_path, (DEPLOY / "tamis.toml").read_text())


# ---- images


def instructions():
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def test_the_image_has_two_stages_no_shell_and_no_root():
    stages = [rest for word, rest in instructions() if word == "FROM"]
    assert len(stages) == 2 and "distroless" in stages[1]
    last = instructions()[[word for word, _ in instructions()].index("USER") :]
    assert ("USER", "65532:65532") in last
    for word in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
        rest = next(rest for name, rest in instructions() if name == word)
        command = json.loads(rest[rest.index("[") :])
        assert isinstance(command, list), f"{word} needs a shell, and there is none"
        if word == "HEALTHCHECK":
            assert command[1] == "health" and run(TAMIS, "health", "--help")


def test_the_image_is_built_of_what_is_there():
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = [rest.split() for word, rest in instructions() if word == "COPY" and "--from" not in rest]
    for *sources, _ in copied:
        for source in sources:
            assert (ROOT / source).exists() and source in let_in, source
    # All that the package is made of, as Cargo says.
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    for bench in manifest["bench"]:
        name = bench["name"]
        assert (ROOT / "benches" / f"{name}.rs").exists() or (ROOT / "benches" / name / "main.rs").exists()
    embedded = set(re.findall(r'include_(?:str|bytes|dir)!\(\s*(?:concat!\(env!\("CARGO_MANIFEST_DIR"\),\s*)?"([^"]+)"', "".join(p.read_text() for p in (ROOT / "src").rglob("*.rs"))))
    outside = {name for name in embedded if name.startswith(("../../", "/")) and "patterns" not in name and "docs/" not in name}
    assert outside == set(), "compiled in, and not copied"


def test_compose_runs_what_the_binary_takes(tmp_path):
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    check_configuration(tmp_path, compose["configs"]["tamis"]["content"])
    assert set(compose["services"]) == {"tamis", "prometheus", "grafana"}
    tamis = compose["services"]["tamis"]
    assert tamis["read_only"] and tamis["cap_drop"] == ["ALL"] and (DEPLOY / tamis["build"]["context"] / "Cargo.toml").exists()
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).exists(), source
    # Where the client with its plug-in is, it reads the file as well; it asks no daemon.
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        run("docker", "compose", "-f", DEPLOY / "compose.yaml", "config", "--quiet")


# ---- Kubernetes


def validate(documents):
    kinds = []
    for document in documents:
        kinds.append(document["kind"])
        for version in VERSIONS:
            kubernetes_validate.validate(document, version, strict=True)
    return sorted(kinds)


def read(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def gathered(directory):
    """Manifests of a kustomization and of those that it stands on."""
    kustomization = yaml.safe_load((directory / "kustomization.yaml").read_text())
    known = {"apiVersion", "kind", "namespace", "resources", "configMapGenerator", "images"}
    assert set(kustomization) <= known, "the test knows no other transformation"
    documents = []
    for name in kustomization["resources"]:
        path = directory / name
        documents += gathered(path) if path.is_dir() else read(path)
    for generator in kustomization.get("configMapGenerator", []):
        files = {Path(name).name: (directory / name).read_text() for name in generator["files"]}
        documents.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": files})
    return documents


def pod_of(documents):
    workload = next(one for one in documents if one["kind"] in ("Deployment", "StatefulSet"))
    return workload, workload["spec"]["template"]["spec"]


def assert_restricted(pod):
    """The profile "restricted" of the pod security standards."""
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False and context["capabilities"] == {"drop": ["ALL"]}
        assert context["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"]["memory"]
    assert all(set(volume) - {"name"} <= {"configMap", "secret", "emptyDir", "persistentVolumeClaim"} for volume in pod["volumes"])


def assert_probed_and_drained(workload, pod, config):
    container = pod["containers"][0]
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startupProbe": "/ready",
        "readinessProbe": "/ready",
        "livenessProbe": "/live",
    }
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert all(probe["port"] == "admin" for probe in probes.values())
    for name in ("ingest", "admin"):
        assert config["listen"][name] == f"0.0.0.0:{ports[name]}"
    seconds = sum(int(config["timeouts"][name].removesuffix("s")) for name in ("drain_delay", "drain"))
    assert pod["terminationGracePeriodSeconds"] > seconds + 5
    if workload["kind"] == "Deployment":
        assert workload["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize("name", ["stateless", "spool"])
def test_the_manifests_are_valid_closed_and_drained(name, tmp_path):
    documents = gathered(KUBERNETES / name)
    kinds = validate(documents)
    expected = {
        "stateless": ["ConfigMap", "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget"],
        "spool": ["ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "StatefulSet"],
    }
    assert sorted(set(kinds) - {"Service", "ServiceAccount"}) == sorted(set(expected[name]) - {"Service"})
    config_map = next(one for one in documents if one["kind"] == "ConfigMap")
    config = check_configuration(tmp_path, config_map["data"]["tamis.toml"])
    workload, pod = pod_of(documents)
    assert_restricted(pod)
    assert_probed_and_drained(workload, pod, config)
    labels = workload["spec"]["template"]["metadata"]["labels"].items()
    for document in documents:
        spec = document.get("spec", {})
        selector = spec.get("podSelector", spec.get("selector", {}))
        chosen = selector.get("matchLabels", selector if document["kind"] == "Service" else {})
        assert set(chosen.items()) <= set(labels), document["kind"]


def test_the_namespace_asks_for_what_the_pods_keep():
    (namespace,) = read(KUBERNETES / "namespace.yaml")
    assert validate([namespace]) == ["Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl, which has kustomize in it")
@pytest.mark.parametrize("name", ["stateless", "spool"])
def test_kustomize_builds_the_same(name):
    built = [document for document in yaml.safe_load_all(run("kubectl", "kustomize", KUBERNETES / name)) if document]
    assert validate(built) == validate(gathered(KUBERNETES / name))
    assert all(document["metadata"]["namespace"] == "tamis" for document in built)
    config = next(one["metadata"]["name"] for one in built if one["kind"] == "ConfigMap")
    assert pod_of(built)[1]["volumes"][0]["configMap"]["name"] == config != "tamis"


# ---- Helm

EVERYTHING = {
    "autoscaling": {"enabled": True},
    "serviceMonitor": {"enabled": True, "labels": {"release": "monitoring"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "monitoring"}},
    "dashboard": {"enabled": True},
    "existingSecret": "tamis-keys",
    "extraEnv": [{"name": "TAMIS_LOG", "value": "debug"}],
    "extraVolumes": [{"name": "packs", "configMap": {"name": "packs"}}],
    "extraVolumeMounts": [{"name": "packs", "mountPath": "/etc/tamis-packs"}],
    "podLabels": {"team": "a"},
    "podAnnotations": {"note": "b"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "priorityClassName": "high",
    "imagePullSecrets": [{"name": "registry"}],
    "image": {"digest": "sha256:" + "0" * 64},
    "networkPolicy": {"ingressFrom": [{"podSelector": {}}]},
}
SPOOL = {"spool": {"enabled": True, "storageClass": "fast"}, "existingConfigMap": "mine", "serviceAccount": {"create": False}}


@functools.cache
def chart():
    return helm_python.Chart.load(str(CHART))


def rendered(values, name="release"):
    """What the chart makes of some values: its notes, and its documents, those of the Prometheus Operator apart."""
    files = chart().render(values, name=name, namespace="space")
    notes = next(text for path, text in files.items() if path.endswith("NOTES.txt"))
    documents = [one for path, text in files.items() if not path.endswith(".txt") for one in yaml.safe_load_all(text) if one]
    own = [one for one in documents if one["apiVersion"] != "monitoring.coreos.com/v1"]
    return notes, own, [one for one in documents if one not in own]


@pytest.mark.parametrize("values", [{}, EVERYTHING, SPOOL], ids=["defaults", "everything", "spool"])
def test_the_chart_renders_valid_manifests(values, tmp_path):
    notes, documents, operator = rendered(values)
    kinds = validate(documents)
    workload, pod = pod_of(documents)
    assert_restricted(pod)
    assert workload["kind"] == ("StatefulSet" if values is SPOOL else "Deployment")
    assert ("HorizontalPodAutoscaler" in kinds) == (values is EVERYTHING)
    config_maps = [one for one in documents if one["kind"] == "ConfigMap" and "tamis.toml" in one["data"]]
    assert len(config_maps) == (0 if values is SPOOL else 1)
    for config_map in config_maps:
        assert_probed_and_drained(workload, pod, check_configuration(tmp_path, config_map["data"]["tamis.toml"]))
    assert [one["kind"] for one in operator] == (["ServiceMonitor", "PrometheusRule"] if values is EVERYTHING else [])
    for document in documents:
        labels = document["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "tamis" and labels["app.kubernetes.io/instance"] == "release"
    assert f"http://release-tamis.space:8080/api/1/store/" in notes


def test_the_chart_brings_the_rules_and_the_dashboard(tmp_path):
    _, documents, operator = rendered(EVERYTHING)
    rules = next(one for one in operator if one["kind"] == "PrometheusRule")["spec"]
    assert rules == yaml.safe_load(RULES.read_text())
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    run(tool("promtool"), "check", "rules", tmp_path / "rules.yml")
    dashboard = next(one for one in documents if "tamis.json" in one.get("data", {}))
    assert json.loads(dashboard["data"]["tamis.json"]) == json.loads((DEPLOY / "grafana" / "tamis.json").read_text())


def test_the_chart_refuses_what_it_does_not_know():
    for wrong in ({"replicas": 3}, {"image": {"tga": "1"}}, {"spool": {"enabled": "yes"}}, {"networkPolicy": {"enabled": 1}}):
        with pytest.raises(helm_python.HelmError):
            rendered(wrong)
    with pytest.raises(helm_python.HelmError, match="exclude each other"):
        rendered({"spool": {"enabled": True}, "autoscaling": {"enabled": True}})


def test_the_chart_has_nothing_to_be_told_of():
    report = helm_python.lint(str(CHART), strict=True)
    worse = [message for message in report["messages"] if message["severity"] > 1]
    assert (worse, report["errors"]) == ([], [])


def test_the_chart_is_of_this_version():
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == version
    for name in ("stateless", "spool"):
        images = yaml.safe_load((KUBERNETES / name / "kustomization.yaml").read_text())["images"]
        assert [image["newTag"] for image in images] == [version]


def test_every_value_is_documented():
    """The table of docs/kubernetes.md has a row for each value with its default."""

    def leaves(values, path=""):
        for key, value in values.items():
            if isinstance(value, dict) and value:
                yield from leaves(value, f"{path}{key}.")
            else:
                yield f"{path}{key}"

    values = yaml.safe_load((CHART / "values.yaml").read_text())
    table = (ROOT / "docs" / "kubernetes.md").read_text().partition("| value | default | what |")[2]
    rows = re.findall(r"^\| `([\w.]+)` \|", table, re.M)
    named = set(leaves(values))
    # What is a document of its own is told of as a whole.
    whole = {"networkPolicy.adminFrom", "networkPolicy.egress", "dashboard.labels", "resources"}
    named = {next((one for one in whole if name == one or name.startswith(one + ".")), name) for name in named}
    assert set(rows) == named


# ---- Debian


CARGO_DEB = ROOT / ".cache" / "cargo-deb" / "bin" / "cargo-deb"
MAINTAINER_SCRIPTS = ("postinst", "prerm", "postrm")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The Debian package with the binary that is tested, and what comes out of it: control files in DEBIAN, the rest as installed."""
    tool = CARGO_DEB if CARGO_DEB.exists() else shutil.which("cargo-deb")
    assert tool, "needs cargo-deb: run `make test`, which installs it"
    directory = tmp_path_factory.mktemp("deb")
    run(DEPLOY / "debian" / "build", "--files", env=dict(os.environ, TAMIS_BIN=str(TAMIS)))
    deb = directory / "tamis.deb"
    # The asset `target/release/tamis` is that of the profile; what `--fast` changes is how small it gets.
    run(tool, "--no-build", "--fast", "--profile", "dev", "--locked", "--output", deb, cwd=ROOT)
    run("dpkg-deb", "--raw-extract", deb, directory / "root")
    return deb, directory / "root"


def test_the_debian_package_says_what_it_is(package):
    deb, root = package
    control = dict(re.findall(r"^(\S+): (.*)$", (root / "DEBIAN" / "control").read_text(), re.M))
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    assert control["Package"] == "tamis" and control["Version"].split("-")[0] == version
    assert "libc6" in control["Depends"] and "systemd" in control["Recommends"]
    assert (root / "DEBIAN" / "conffiles").read_text().split() == ["/etc/tamis/tamis.toml"]
    for name in MAINTAINER_SCRIPTS:
        script = root / "DEBIAN" / name
        assert script.stat().st_mode & 0o777 == 0o755
        run("sh", "-n", script)


def test_the_debian_package_has_what_it_says(package):
    deb, root = package
    listed = [line.split(maxsplit=5) for line in run("dpkg-deb", "--contents", deb).splitlines()]
    modes = {path.removeprefix("./"): (mode, owner) for mode, owner, _, _, _, path in listed}
    for path in (
        "usr/bin/tamis",
        "etc/tamis/tamis.toml",
        *(f"usr/lib/systemd/system/{unit.name}" for unit in (DEPLOY / "systemd").iterdir()),
        "usr/share/man/man1/tamis.1.gz",
        "usr/share/man/man1/tamis-serve.1.gz",
        "usr/share/bash-completion/completions/tamis",
        "usr/share/zsh/vendor-completions/_tamis",
        "usr/share/fish/vendor_completions.d/tamis.fish",
        "usr/share/tamis/prometheus/tamis.rules.yml",
        "usr/share/tamis/grafana/tamis.json",
        "usr/share/doc/tamis/copyright",
        "usr/share/doc/tamis/README.md",
    ):
        assert path in modes, path
    for path, (mode, owner) in modes.items():
        want = "drwxr-xr-x" if path.endswith("/") or not path else "-rwxr-xr-x" if path == "usr/bin/tamis" else "-rw-r--r--"
        assert mode == want and owner in ("root/root", "0/0"), path
        assert path.startswith(("usr", "etc")) or not path, path


def test_what_the_debian_package_brings_works(package, tmp_path):
    _, root = package
    tamis = root / "usr" / "bin" / "tamis"
    assert "tamis" in run(tamis, "version")
    assert run(tamis, "check", "-c", root / "etc" / "tamis" / "tamis.toml").endswith("ok\n")
    units = root / "usr" / "lib" / "systemd" / "system"
    for unit in units.iterdir():
        text = unit.read_text()
        assert "/usr/local" not in text
        for program in re.findall(r"^Exec\w+=[-@:+!]*(/usr/bin/tamis\S*)", text, re.M):
            assert (root / program.lstrip("/")).exists(), program
    assert "/usr/bin/tamis serve" in (units / "tamis.service").read_text()
    page = run("man", "--warnings", "--local-file", root / "usr" / "share" / "man" / "man1" / "tamis-serve.1.gz") if shutil.which("man") else ""
    assert not page or "SYNOPSIS" in page


@pytest.mark.parametrize("name", MAINTAINER_SCRIPTS)
@pytest.mark.parametrize("action", [["configure", ""], ["configure", "0.0.9"], ["remove"], ["upgrade", "0.0.9"], ["purge"]])
def test_a_maintainer_script_touches_our_units_alone(name, action, package, tmp_path):
    """Run with what it calls replaced, as if systemd were there: what it would do, for each of dpkg's actions."""
    _, root = package
    calls, tools = tmp_path / "calls", tmp_path / "bin"
    tools.mkdir()
    for tool in ("systemctl", "deb-systemd-invoke", "rm"):
        (tools / tool).write_text(f'#!/bin/sh\necho {tool} "$@" >>{calls}\n')
        (tools / tool).chmod(0o755)
    (tmp_path / "systemd").mkdir()
    script = tmp_path / name
    script.write_text((root / "DEBIAN" / name).read_text().replace("/run/systemd/system", str(tmp_path / "systemd")))
    run("sh", script, *action, env={"PATH": f"{tools}:/usr/bin:/bin"})
    called = calls.read_text().splitlines() if calls.exists() else []
    units = "tamis-canary.timer tamis-canary.service tamis.socket tamis.service"
    want = {
        ("postinst", "configure", ""): ["systemctl --system daemon-reload"],
        ("postinst", "configure", "0.0.9"): ["systemctl --system daemon-reload", "deb-systemd-invoke try-restart tamis.service"],
        ("prerm", "remove"): [f"deb-systemd-invoke stop {units}", "systemctl disable tamis.service tamis.socket tamis-canary.timer"],
        ("postrm", "remove"): ["systemctl --system daemon-reload"],
        ("postrm", "purge"): ["rm -rf /var/lib/private/tamis /var/lib/tamis"],
    }
    assert called == want.get((name, *action), [])
