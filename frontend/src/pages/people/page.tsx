import { useHere } from "../../shell/project";
import { PageHead } from "../../ui/panel";
import { Accounts } from "./accounts";
import { Members } from "./members";
import { Password } from "./password";
import { Tokens } from "./tokens";

/** Who is in the project, who has an account, which programs may ask. */
export default function PeoplePage() {
  const { me, role } = useHere();
  return (
    <main className="page">
      <PageHead
        title={role === "admin" || me.is_site_admin ? "People and tokens" : "My account and tokens"}
      />
      {role === "admin" && <Members />}
      {me.is_site_admin && <Accounts />}
      <Tokens />
      <Password />
    </main>
  );
}
