"""Prints the software bill of materials of a release as CycloneDX 1.5 JSON, from `cargo metadata` and Cargo.lock.

    cargo metadata --locked --format-version 1 --filter-platform TARGET | python3 scripts/sbom.py Cargo.lock PACKAGE...

Every package of the metadata is a component. Those that the programs PACKAGE contain have the scope `required`; what only builds
or tests them is `excluded`. The same input has the same output: there is no time and no random number in it.
"""

import json
import sys
import tomllib


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def licences(package):
    """The licence as an expression of SPDX. Old packages write a slash for `OR`."""
    expression = package.get("license")
    if expression:
        return [{"expression": expression.replace("/", " OR ")}]
    return [{"license": {"name": f"see {package['license_file']}"}}] if package.get("license_file") else []


def component(package, checksum, scope):
    made = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "scope": scope,
        "purl": purl(package),
    }
    if package.get("description"):
        made["description"] = " ".join(package["description"].split())
    if licences(package):
        made["licenses"] = licences(package)
    if checksum:
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package.get("repository"):
        made["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return made


def is_contained(dependency):
    """Whether a dependency becomes a part of what depends on it: it is no build script's and no test's."""
    return any(kind["kind"] is None for kind in dependency["dep_kinds"])


def contained(nodes, roots):
    """The ids of what programs consist of, themselves included."""
    found, further = set(), list(roots)
    while further:
        package = further.pop()
        if package in found:
            continue
        found.add(package)
        further += [dependency["pkg"] for dependency in nodes[package]["deps"] if is_contained(dependency)]
    return found


def sbom(metadata, lock, programs):
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    checksums = {
        (package["name"], package["version"], package.get("source")): package.get("checksum")
        for package in lock["package"]
    }
    unlocked = [
        purl(package)
        for package in packages.values()
        if (package["name"], package["version"], package["source"]) not in checksums
    ]
    if unlocked:
        sys.exit(f"Cargo.lock has not: {', '.join(sorted(unlocked))}")
    own = {packages[member]["name"]: member for member in metadata["workspace_members"]}
    missing = [name for name in programs if name not in own]
    if missing or not programs:
        sys.exit(f"no package of the workspace: {', '.join(missing) or '(none was named)'}")
    roots = [own[name] for name in programs]
    required = contained(nodes, roots)
    ordered = sorted(packages, key=lambda package: purl(packages[package]))
    components = []
    for identity in ordered:
        package = packages[identity]
        checksum = checksums[package["name"], package["version"], package["source"]]
        components.append(component(package, checksum, "required" if identity in required else "excluded"))
    dependencies = [
        {
            "ref": purl(packages[identity]),
            "dependsOn": sorted(
                {purl(packages[dependency["pkg"]]) for dependency in nodes[identity]["deps"] if is_contained(dependency)}
            ),
        }
        for identity in ordered
    ]
    release = packages[roots[0]]
    name = f"release:{release['name']}@{release['version']}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": name,
                "name": release["name"],
                "version": release["version"],
                "licenses": licences(release),
            }
        },
        "components": components,
        "dependencies": [{"ref": name, "dependsOn": sorted(purl(packages[root]) for root in roots)}, *dependencies],
    }


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        lock = tomllib.load(file)
    json.dump(sbom(json.load(sys.stdin), lock, sys.argv[2:]), sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
