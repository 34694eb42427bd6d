// Says what the HSM answers to plain fetch; the argument names the variable that holds its URL.

import { assign, getToken, send } from "./access.mjs";

const base = process.env[process.argv[2]];
const definitions = "///providers/Microsoft.Authorization/roleDefinitions";
const assignments = "providers/Microsoft.Authorization/roleAssignments";
const name = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01";
const principalId = "a11ce000-0000-4000-8000-000000000001";

const said = {};
const challenge = await send(base, "GET", definitions);
said.challenge = [challenge.status, await challenge.text(), challenge.headers.get("www-authenticate").split("=")[0]];

const token = await getToken();
const listed = await send(base, "GET", definitions, { token });
said.roles = [listed.status, (await listed.json()).value.length];

const created = await assign(base, token, { name, principalId, roleName: "Managed HSM Crypto User", scope: "/keys/k" });
const assignment = await created.json();
said.created = [created.status, assignment.id, assignment.properties.scope];
said.again = [];
for (const path of [`//keys/k/${assignments}`, `//keys//k///${assignments}`, `/keys/k/${assignments}`]) {
  const read = await send(base, "GET", `${path}/${name}`, { token });
  said.again.push([read.status, JSON.stringify(await read.json()) === JSON.stringify(assignment)]);
}
const deleted = await send(base, "DELETE", `//keys/k/${assignments}/${name}`, { token });
const missing = await send(base, "DELETE", `//keys/k/${assignments}/${name}`, { token });
said.deleted = [deleted.status, missing.status, (await missing.json()).error.code];
const atRoot = await send(base, "GET", `///${assignments}`, { token });
said.atRoot = [atRoot.status, (await atRoot.json()).value.length];
console.log(JSON.stringify(said));
