// Makes, lists, deletes, recovers and purges keys with the published client.

import { DefaultAzureCredential } from "@azure/identity";
import { KeyClient } from "@azure/keyvault-keys";

import { assign, getToken } from "./access.mjs";

const principalId = process.env.EMULATOR_ADMIN_OBJECT_ID;
const client = new KeyClient(process.env.AZURE_MANAGEDHSM_URL, new DefaultAzureCredential());
const often = { intervalInMs: 100 };

async function names(list) {
  const found = [];
  for await (const each of list) found.push(each.name);
  return found;
}

const said = {};
try {
  await client.createKey("refused", "RSA");
} catch (error) {
  said.refused = [error.statusCode, error.code, error.message.split(" (Activity ID:")[0]];
}

const token = await getToken();
for (const [name, roleName] of [
  ["ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01", "Managed HSM Crypto User"],
  ["ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a02", "Managed HSM Crypto Officer"],
]) {
  await assign(process.env.AZURE_MANAGEDHSM_URL, token, { name, roleName, principalId });
}

said.kinds = [];
for (const [name, kind] of [["rsa", "RSA"], ["ec", "EC"], ["oct", "oct-HSM"]]) {
  said.kinds.push((await client.createKey(name, kind)).keyType);
}
await client.createKey("rsa", "RSA");
said.got = (await client.getKey("rsa")).name;
said.keys = await names(client.listPropertiesOfKeys());
said.versions = (await names(client.listPropertiesOfKeyVersions("rsa"))).length;
await (await client.beginDeleteKey("rsa", often)).pollUntilDone();
said.deleted = await names(client.listDeletedKeys());
said.recovered = (await (await client.beginRecoverDeletedKey("rsa", often)).pollUntilDone()).name;
await (await client.beginDeleteKey("oct", often)).pollUntilDone();
await client.purgeDeletedKey("oct");
said.left = await names(client.listPropertiesOfKeys());
try {
  await client.getDeletedKey("oct");
} catch (error) {
  said.purged = error.code;
}
console.log(JSON.stringify(said));
