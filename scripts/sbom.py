"""Prints the software bill of materials of a release as CycloneDX 1.5 JSON, from what cargo prints.

    cargo tree --locked --target TARGET --edges normal --prefix none --format '{p}' --package PACKAGE... >TREE
    cargo metadata --locked --format-version 1 --filter-platform TARGET |
        python3 scripts/sbom.py Cargo.lock TREE PACKAGE...

Every package of the metadata is a component. Those that the programs PACKAGE contain have the scope `required`; what only
builds or tests them is `excluded`. The metadata alone does not say which: it has the features that all members of the
workspace ask for together, and the programs are built with their own. The same input has the same output: there is no time
and no random number in it.
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
        return [{"expression": " OR ".join(choice.strip() for choice in expression.split("/"))}]
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


def contained(tree):
    """The names and versions of what programs consist of, themselves included. A line begins with `name v1.2.3`."""
    lines = [line.split() for line in tree.splitlines() if line.strip()]
    return {(name, version.removeprefix("v")) for name, version, *_ in lines}


def sbom(metadata, lock, tree, programs):
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
    names = contained(tree)
    required = {identity for identity, package in packages.items() if (package["name"], package["version"]) in names}
    strange = names - {(package["name"], package["version"]) for package in packages.values()}
    if strange:
        sys.exit(f"cargo metadata has not: {', '.join(sorted(f'{name} {version}' for name, version in strange))}")
    absent = [name for name, root in zip(programs, roots) if root not in required]
    if absent:
        sys.exit(f"cargo tree has not: {', '.join(absent)}")

    def depends_on(identity):
        found = (dependency["pkg"] for dependency in nodes[identity]["deps"] if is_contained(dependency))
        # What a feature brings that other members alone ask for is no part of the programs.
        return sorted({purl(packages[other]) for other in found if identity not in required or other in required})

    ordered = sorted(packages, key=lambda package: purl(packages[package]))
    components = []
    for identity in ordered:
        package = packages[identity]
        checksum = checksums[package["name"], package["version"], package["source"]]
        components.append(component(package, checksum, "required" if identity in required else "excluded"))
    dependencies = [{"ref": purl(packages[identity]), "dependsOn": depends_on(identity)} for identity in ordered]
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
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        lock = tomllib.load(file)
    with open(sys.argv[2], encoding="utf-8") as file:
        tree = file.read()
    json.dump(sbom(json.load(sys.stdin), lock, tree, sys.argv[3:]), sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
